import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openClient } from '../../../services/platform/db/database-client.ts';
import type { DatabaseClient } from '../../../services/platform/db/database-client.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { compareClaims } from './support/compare-claims.ts';
import { StatementDescriber } from './support/describe-statements.ts';
import { findStatements } from './support/find-statements.ts';
import type { Findings, Statement } from './support/find-statements.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const FIXTURE = 'test/contract/database/fixtures/claims.ts';

/** Statements that the code does not fix. */
const NOT_FIXED: readonly string[] = [
  // Names and values from DATABASE_URL; every connection of every test runs it.
  'services/platform/db/database-client.ts: no constant: settings',
  'services/platform/db/session-settings.ts: sent by no known call: SELECT set_config(s.name, v.value, false',
  // The migrations, which made the database of this test.
  'services/platform/db/apply-migrations.ts: no constant: migration.sql',
];

const FENCED =
  'a comparison of columns and parameters that are not null, but for a secret that the CASE asks for first';
const LIVE = 'tasks_lease_check: a LEASED or RUNNING task has it';
const SPEC = 'every spec has it (core/validation)';
const SAMPLED = 'every run has it, because defaults are among the parameters';
const RANKED = 'canBeBest asks for it (run-sql.ts)';
const DEAD = 'outbox_dead_check: an entry with a time of death has it';

/** Columns that are never null for a reason that is not in the statement. */
const NEVER_NULL: Readonly<Record<string, string>> = {
  'checkpoints/find-orphans.ts uri': 'the parameter is an array of strings',
  'complete/complete-index.ts path': SPEC,
  'explain/read-origin.ts objective': SPEC,
  'leases/lease-task.ts is_own': 'a comparison with a parameter that is not null',
  'leases/lease-task.ts is_quiet': 'a comparison with a parameter that is not null',
  'leases/read-leased-task.ts dataset_source': SPEC,
  'leases/read-leased-task.ts objective': SPEC,
  'metrics/fence-attempts.ts is_held': FENCED,
  'metrics/fence-attempts.ts trainer_id': LIVE,
  'metrics/insert-metrics.ts received': 'a value that is inserted is not null',
  'outbox/list-dead-letters.ts errorCode': DEAD,
  'outbox/retry-dead-letters.ts error_code': DEAD,
  'rounds/insert-round.ts backbone': SAMPLED,
  'rounds/insert-round.ts weights': SAMPLED,
  'search/read-finals.ts best_value': RANKED,
  'search/train-again.ts run_id': 'the parameter is an array of strings',
  'settle/choose-winner.ts best_value': RANKED,
  'steer/extend-sweep.ts first_run': 'every sweep has a run 0',
  'steer/require-indexed.ts backbone': SAMPLED,
  'steer/require-indexed.ts weights': SAMPLED,
  'sweeps/read-cluster.ts cost_class': 'written together with model_seconds, which the statement asks for',
  'sweeps/read-cluster.ts measured_seconds': 'the attempt of a task that SUCCEEDED has ended',
  'sweeps/read-indexed.ts objective': SPEC,
  'sweeps/read-indexed.ts weights': 'written together with dataset_id, which the statement joins by',
  'sweeps/read-weights-references.ts backbone': SAMPLED,
  'sweeps/read-weights-references.ts weights': SAMPLED,
  'tasks/fence.ts is_held': FENCED,
  'tasks/fence.ts trainer_id': LIVE,
};

let database: TestDatabase;
let client: DatabaseClient;
let describer: StatementDescriber;
let program: ts.Program;

beforeAll(async () => {
  database = await createTestDatabase();
  client = await openClient({ connectionString: database.url });
  describer = await StatementDescriber.open(client);
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: unknown };
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  program = ts.createProgram(
    [...fileNames.filter((path) => path.startsWith(`${root}services/`)), root + FIXTURE],
    options,
  );
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

async function findIn(folder: string): Promise<Findings> {
  return findStatements(program, (path) => path.startsWith(root + folder));
}

/** Returns the mistakes of the statements, each as `path column: what`. */
async function problemsOf(statements: readonly Statement[]): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { place, texts, row } of statements) {
    for (const text of texts) {
      try {
        const columns = await describer.describe(text);
        // Rows without a claim are `any`, which ESLint refuses to read.
        if (row !== null) problems.push(...compareClaims(row, columns).map((problem) => `${place} ${problem}`));
      } catch (error) {
        problems.push(`${place} ${String(error)}`);
      }
    }
  }
  return [...new Set(problems)].map((problem) => problem.replace(/:\d+ /, ' '));
}

/** Parsing and checking all of services/ and its statements takes half a minute on two idle cores. */
const TIMEOUT_MS = 300_000;

test(
  'prepares every statement of services/ and finds the row types that the code claims',
  async () => {
    const { statements, unresolved } = await findIn('services/');
    expect(unresolved.map(withoutLine).sort()).toEqual([...NOT_FIXED].sort());
    expect(statements.length).toBeGreaterThan(200);
    const excused = new Set(
      Object.keys(NEVER_NULL).map((key) => `services/coordinator/store/${key}: claimed as never null, may be null`),
    );
    const problems = await problemsOf(statements);
    expect(problems.filter((problem) => !excused.has(problem))).toEqual([]);
    expect([...excused].filter((problem) => !problems.includes(problem))).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  'reports a renamed column, a wrong type, an unclaimed null and SQL that is not fixed',
  async () => {
    const { statements, unresolved } = await findIn(FIXTURE);
    expect((await problemsOf(statements)).map((problem) => problem.replace(/^\S+ /, ''))).toEqual([
      'renamed: claimed, but the statement has no such column',
      'sweep_id: selected, but not claimed',
      'error: column "no_such_column" does not exist',
      'size_bytes: claimed as number, pg gives string',
      'create_time: claimed as string, pg gives Date',
      'pinned: claimed as string, pg gives boolean',
      'metric_values: claimed as number[], pg gives string[]',
      'end_time: claimed as never null, may be null',
      'state: claimed as nullable, is never null',
      'run_id: claimed as never null, may be null',
      'best: claimed as never null, may be null',
      'second: claimed as never null, may be null',
      'dead_time: claimed as never null, may be null',
      'state: claimed as one of ACTIVE, ASLEEP, the table allows ACTIVE, PAUSED, SUCCEEDED, FAILED, CANCELLED',
    ]);
    expect(unresolved.map(withoutLine)).toEqual([
      `${FIXTURE}: no function of one return: Math.random()`,
      `${FIXTURE}: sent by no known call: SELECT run_id, state FROM sweeps`,
    ]);
  },
  TIMEOUT_MS,
);

function withoutLine(problem: string): string {
  return problem.replace(/:\d+:/, ':');
}
