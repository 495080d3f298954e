import { mkdtempSync, cpSync } from 'node:fs';
import { LocalCluster } from '../e2e/support/local-cluster.ts';
import { demoSpec, PHOTO_SCALE } from '../../services/cli/demo/demo-sweep.ts';
import { writeFileSync } from 'node:fs';
import pg from 'pg';
const folder = mkdtempSync('/tmp/prof-');
const { displayName, dataset, base, strategy, variants, seed } = demoSpec('/work/shared/data/cats-dogs-800', PHOTO_SCALE);
writeFileSync(folder + '/s.yaml', JSON.stringify({ display_name: displayName, dataset: { path: dataset.path }, base, strategy, variants, seed }));
await using c = await LocalCluster.start({ trainers: 1, env: process.env['PROFENV'] ? { NODE_OPTIONS: process.env['PROFENV'] } : {} });
console.log((await c.cli(['sweep', 'submit', folder + '/s.yaml'])).stdout);
const pool = new pg.Pool({ connectionString: c.databaseUrl });
for (;;) { const { rows } = await pool.query('select state from sweeps'); if (!['ACTIVE'].includes(rows[0]?.state)) { console.log(rows); break; } await new Promise(r => setTimeout(r, 300)); }
const t = await pool.query(`select t.stage, t.description, a.lease_epoch, a.state, extract(epoch from a.create_time - s.create_time)::float8 as b, extract(epoch from a.end_time - s.create_time)::float8 as e from attempts a join tasks t using(task_id) join sweeps s using(sweep_id) order by a.create_time`);
for (const r of t.rows) console.log(r.stage.padEnd(10), r.lease_epoch, r.state, r.b.toFixed(2), r.e.toFixed(2), (r.e - r.b).toFixed(2), r.description);
await pool.end();
cpSync(c.stateDir, '/tmp/prof-state', { recursive: true, filter: (s) => !s.includes('postgres/') });
