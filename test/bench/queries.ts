import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import { insertLargeRecord, LARGE_RUN, LARGE_SWEEP } from '../support/large-record.ts';
import { readmeQueries } from '../support/readme-queries.ts';
import { runScript, temporaryFolder } from '../support/run-script.ts';

const HELP = `How long each view and each question of prisma/README.md takes in a database with 10,000 runs and a million metrics.

  npm run bench:queries -- [--runs 10000] [--epochs 15]

The server's own time (EXPLAIN ANALYZE), the median of three; as graft_reader. The exit code is 1 when one takes longer than its limit.
`;

const LIMIT_MS = 1_000;
const LEADERBOARD_LIMIT_MS = 100;
const REPEATS = 3;

interface Question {
  readonly title: string;
  readonly query: string;
  readonly limitMs: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '10000' },
      epochs: { type: 'string', default: '15' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = temporaryFolder('graft-bench-');
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log: () => undefined });
  try {
    await applyMigrations(server.url);
    await insertLargeRecord(server.url, { runs: Number(values.runs), epochs: Number(values.epochs) });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    try {
      return await measureAll(client);
    } finally {
      await client.end();
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureAll(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ runs: number; metrics: number }>(
    'SELECT (SELECT count(*)::int FROM runs) AS runs, (SELECT count(*)::int FROM epoch_metrics) AS metrics',
  );
  process.stdout.write(`${rows[0]?.runs ?? 0} runs, ${rows[0]?.metrics ?? 0} rows of metrics\n\n`);
  const questions = [...(await viewQuestions(client)), ...readmeQuestions()];
  await client.query('SET ROLE graft_reader');
  let isOver = false;
  for (const { title, query, limitMs } of questions) {
    const ms = await medianMs(client, query);
    const verdict = ms <= limitMs ? '' : `  over ${limitMs} ms`;
    isOver ||= ms > limitMs;
    process.stdout.write(`${ms.toFixed(1).padStart(9)} ms  ${title}${verdict}\n`);
  }
  return isOver ? 1 : 0;
}

/**
 * Returns questions for every view: for the largest sweep (or run, or all rows if it has neither), and for the whole
 * view.
 */
async function viewQuestions(client: pg.Client): Promise<Question[]> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT c.relname AS name, array_agg(a.attname::text) AS columns
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v' GROUP BY c.relname ORDER BY c.relname`,
  );
  return rows.flatMap(({ name, columns }) => {
    const limitMs = name === 'leaderboard' ? LEADERBOARD_LIMIT_MS : LIMIT_MS;
    const bySweep = columns.includes('sweep_id')
      ? [
          {
            title: `${name} of the largest sweep`,
            query: `SELECT * FROM ${name} WHERE sweep_id = '${LARGE_SWEEP}'`,
            limitMs,
          },
        ]
      : [];
    const byRun = columns.includes('run_id')
      ? [
          {
            title: `${name} of one run`,
            query: `SELECT * FROM ${name} WHERE run_id = '${LARGE_RUN}'`,
            limitMs: LIMIT_MS,
          },
        ]
      : [];
    const whole = { title: `${name}, all of it`, query: `SELECT * FROM ${name}`, limitMs: LIMIT_MS };
    return [...bySweep, ...byRun, whole];
  });
}

function readmeQuestions(): Question[] {
  const markdown = readFileSync(new URL('../../prisma/README.md', import.meta.url), 'utf8');
  return readmeQueries(markdown).map(({ question, query }) => ({
    title: question.length > 90 ? `${question.slice(0, 90)}…` : question,
    // COPY sends the query within its parentheses.
    query: (/^COPY \((.*)\) TO STDOUT/s.exec(query)?.[1] ?? query)
      .replace(/;\s*$/, '')
      .replaceAll(/'s[12]-1'/g, `'${LARGE_RUN}'`)
      .replaceAll(/'s[12]'/g, `'${LARGE_SWEEP}'`),
    limitMs: question.startsWith('The leaderboard') ? LEADERBOARD_LIMIT_MS : LIMIT_MS,
  }));
}

async function medianMs(client: pg.Client, query: string): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const { rows } = await client.query<{
      'QUERY PLAN': readonly { 'Planning Time': number; 'Execution Time': number }[];
    }>(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${query}`);
    const plan = rows[0]?.['QUERY PLAN'][0];
    if (plan === undefined) throw new Error(`No plan for: ${query}`);
    times.push(plan['Planning Time'] + plan['Execution Time']);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(REPEATS / 2)] ?? Number.NaN;
}

await runScript(main);
