import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { LocalCluster } from '../../e2e/support/local-cluster.ts';
import { runScript, temporaryFolder } from '../../support/run-script.ts';
import { gridPath } from '../search/recorded-grid.ts';
import { renderComparison } from './comparison.ts';
import type { Searched } from './comparison.ts';
import { GRIDS, PHOTOS, gridSweep, modelSweep, recordsAll } from './grid-sweep.ts';
import type { Grid } from './grid-sweep.ts';
import { readGrid } from './record-grid.ts';
import { planSweep, trainSweep } from './trained-sweep.ts';
import type { Bench, TrainedSweep } from './trained-sweep.ts';

const GRID_NAMES = Object.keys(GRIDS) as (keyof typeof GRIDS)[];

const HELP = `Trains a grid of 64 heads and 48 fine-tunes with graft up: to its end, then with promotion, with promotion
and a tenth of its slot-seconds, and by a Gaussian process with promotion and 15 % of them.

  npm run bench:grid [-- --grid ${GRID_NAMES.join('|')}] [--record]

--grid    default ${GRID_NAMES[0]}; small: 12 heads and 12 fine-tunes of 3 epochs, to try it in 2 minutes
--record  only to its end; writes what npm run bench:search -- --only stages replays

It runs in a state folder of its own. The exit code is 1 when a target is missed.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      grid: { type: 'string', default: GRID_NAMES[0] ?? '' },
      record: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  if (!existsSync(PHOTOS)) {
    say(`The photographs are not in ${PHOTOS}.`);
    return 1;
  }
  const name = GRID_NAMES.find((known) => known === values.grid);
  if (name === undefined) {
    say(`--grid: there is no grid ${values.grid}; use ${GRID_NAMES.join(', ')}.`);
    return 2;
  }
  const grid: Grid = GRIDS[name];
  const folder = temporaryFolder('graft-grid-');
  await using cluster = await LocalCluster.start();
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
  try {
    const bench: Bench = { cluster, pool, folder, say };
    const promotion = gridSweep('promotion', grid, { stopping: { rule: 'promotion' } });
    const before = await planSweep(bench, promotion);
    const exhaustive = await trainSweep(bench, gridSweep('exhaustive', grid, recordsAll(grid)));
    say(`exhaustive: ${exhaustive.slotSeconds.toFixed(0)} slot-seconds`);
    say(`recorded in ${await record(pool, exhaustive, name)}`);
    if (values.record) return 0;
    const searches: Searched[] = [];
    // Searches find the features stored, which they would have to pay.
    const budgetOf = (part: number): number => part * exhaustive.slotSeconds - exhaustive.featureSeconds;
    const bounded = gridSweep('promotion with a budget', grid, {
      stopping: { rule: 'promotion' },
      budget: { slot_seconds: budgetOf(grid.budgetPart) },
    });
    const { budgetPart, modelPart } = grid;
    const sweeps = [
      { name: 'promotion', sweep: promotion, budgetPart: null },
      { name: `promotion, budget ${100 * budgetPart} %`, sweep: bounded, budgetPart },
      {
        name: `gp + promotion, budget ${100 * modelPart} %`,
        sweep: modelSweep('gp', grid, budgetOf(modelPart)),
        budgetPart: modelPart,
      },
    ];
    for (const { sweep, ...search } of sweeps) {
      const planned = await planSweep(bench, sweep);
      const trained = await trainSweep(bench, sweep);
      say(`${search.name}: ${trained.slotSeconds.toFixed(0)} slot-seconds`);
      searches.push({ ...search, before: sweep === promotion ? before : null, planned, trained });
    }
    const { text, isMet } = renderComparison({ before, exhaustive, searches });
    process.stdout.write(`${text}\n`);
    return isMet ? 0 : 1;
  } finally {
    await pool.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes what an exhaustive sweep has shown. @returns the file. */
async function record(pool: pg.Pool, { sweepId }: TrainedSweep, name: keyof typeof GRIDS): Promise<string> {
  const path = gridPath(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(await readGrid(pool, sweepId, GRIDS[name].fineTuneEpochs)));
  return path;
}

await runScript(main);
