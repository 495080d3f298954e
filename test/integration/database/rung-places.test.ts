import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listRungEntries } from '../../../services/coordinator/store/explain/list-rung-entries.ts';
import { insertSearch } from '../../../services/coordinator/store/rungs/search-row.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { inTransaction } from '../../../services/coordinator/store/transaction.ts';
import { pathOf } from '../../../services/core/stopping/ladder.ts';
import type { LadderRun } from '../../../services/core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../services/core/stopping/policy.ts';
import { rankedRivals, tieOrderOf } from '../../../services/core/stopping/rung-table.ts';
import type { RungEntry } from '../../../services/core/stopping/rung-table.ts';
import type { SearchRun, SearchState } from '../../../services/core/stopping/search-state.ts';
import { tableAt } from '../../../services/core/stopping/search-state.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { ACCURACY, LOSS, searchPolicy } from '../../unit/core/support/search-inputs.ts';

const SWEEPS = 40;
const log = createLogger('test', 'silent');
let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({
    pool: createPool(database.url, { applicationName: 'test', max: 2, log }),
    log,
    leaseMs: 30_000,
  });
});

afterAll(async () => {
  await store.prisma.$disconnect();
  await store.pool.end();
  await database.drop();
});

/** A run and how far it came. Few distinct values, so that many tie. */
const runs = fc.record({
  headEpochs: fc.constantFrom(0, 5, 30),
  augmented: fc.boolean(),
  fineTuneEpochs: fc.constantFrom(null, 3, 27),
  state: fc.constantFrom('SUCCEEDED', 'STOPPED', 'PAUSED', 'FAILED', 'INFEASIBLE'),
  entryCount: fc.nat({ max: 4 }),
  values: fc.array(fc.constantFrom(0, -0, 0.1, 0.2, 0.3, Infinity, Number.NaN), { minLength: 6, maxLength: 6 }),
});
const sweeps = fc.record({
  runs: fc.array(runs, { minLength: 1, maxLength: 12 }),
  objective: fc.constantFrom(ACCURACY, LOSS),
  rule: fc.constantFrom('promotion' as const, 'asha' as const),
  synchronous: fc.boolean(),
});
type Sweep = typeof sweeps extends fc.Arbitrary<infer T> ? T : never;

/** A sweep as core sees it, and the rows from which SQL must see the same. */
interface World {
  readonly policy: SearchPolicy;
  readonly ladderRuns: readonly LadderRun[];
  readonly state: SearchState;
}

function worldOf({ runs: drawn, objective, rule, synchronous }: Sweep): World {
  const ladderRuns = drawn.map((run, index): LadderRun => ({ ...run, index }));
  const policy = searchPolicy(ladderRuns, { rule, synchronous }, objective);
  const rungs = policy.ladder.map((): RungEntry[] => []);
  const states = drawn.map(({ state, entryCount, values }, index): SearchRun => {
    const path = pathOf(policy.ladder, ladderRuns[index]!);
    for (const { rung } of path.slice(0, entryCount)) {
      const entries = rungs[rung]!;
      entries.push({
        runIndex: index,
        arrival: entries.length + 1,
        value: values[rung]!,
        standardError: null,
        epoch: 1,
        completedEpochs: 1,
        tieOrder: tieOrderOf(policy, index),
        evidence: null,
        continues: path.some((step) => step.rung > rung),
      });
    }
    return {
      index,
      status: state === 'SUCCEEDED' ? 'DONE' : state,
      rung: path[Math.min(entryCount, path.length) - 1]?.rung ?? null,
      path,
      nextSeconds: 0,
      idleFrom: [],
    };
  });
  const spending = { budget: null, spentSeconds: 0, reservedSeconds: 0, wallSeconds: 0, best: null };
  return { policy, ladderRuns, state: { rungs, runs: states, slots: { count: 1, idle: 0 }, openTasks: 0, spending } };
}

async function insert(sweepId: string, sweep: Sweep, { policy, ladderRuns, state }: World): Promise<void> {
  const { prisma } = store;
  await prisma.sweep.create({
    data: {
      sweepId,
      requestId: sweepId,
      specDigest: 'e'.repeat(64),
      displayName: sweepId,
      spec: {},
      state: 'ACTIVE',
      objectiveName: sweep.objective.metric,
      objectiveGoal: sweep.objective.goal,
      testPolicy: 'winner',
      varied: [],
    },
  });
  await prisma.run.createMany({
    data: ladderRuns.map(({ index, headEpochs, augmented, fineTuneEpochs }) => ({
      runId: runId(sweepId, index),
      sweepId,
      runIndex: index,
      parametersDigest: String(index).padStart(64, '0'),
      parameters: {
        epochs: headEpochs,
        method: augmented ? 'augmented' : 'cached',
        'fine_tune.enabled': fineTuneEpochs !== null,
        ...(fineTuneEpochs !== null && { 'fine_tune.epochs': fineTuneEpochs }),
      },
      state: sweep.runs[index]!.state,
      stage: 'HEAD',
    })),
  });
  await inTransaction(store, (tx) => insertSearch(tx, sweepId, policy));
  const entries = state.rungs.flatMap((there, rung) => there.map((entry) => ({ ...entry, rung })));
  await store.pool.query(
    `INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, tie_order, epoch, task_id, lease_epoch)
     SELECT $1, e.rung, e.run_id, e.arrival, e.value, e.tie_order, 1, 't', 1
       FROM unnest($2::int[], $3::text[], $4::int[], $5::float8[], $6::int[]) AS e (rung, run_id, arrival, value, tie_order)`,
    [
      sweepId,
      entries.map(({ rung }) => rung),
      entries.map(({ runIndex }) => runId(sweepId, runIndex)),
      entries.map(({ arrival }) => arrival),
      entries.map(({ value }) => value),
      entries.map(({ tieOrder }) => tieOrder),
    ],
  );
}

function runId(sweepId: string, index: number): string {
  return `${sweepId}-r${index}`;
}

test(
  'the view rung_tables and ListRungEntries rank the runs of a rung as the rules do',
  { timeout: 60_000 },
  async () => {
    for (const [number, sweep] of fc.sample(sweeps, { numRuns: SWEEPS, seed: 17 }).entries()) {
      const sweepId = `s${number}`;
      const world = worldOf(sweep);
      await insert(sweepId, sweep, world);
      const ranked = world.policy.ladder.flatMap(({ number: rung }) => {
        const rivals = rankedRivals(world.policy.objective, tableAt(world.policy, world.state, rung));
        return rivals.map(({ runIndex }, index) => ({ rung, run: runIndex, place: index + 1 }));
      });
      const view = await store.pool.query(
        `SELECT rung, run_index AS run, place FROM rung_tables WHERE sweep_id = $1 AND competes ORDER BY rung, place`,
        [sweepId],
      );
      expect(view.rows, sweepId).toEqual(ranked);
      const { items } = await listRungEntries(store, sweepId, null, 1_000);
      const listed = items
        .filter(({ competes }) => competes)
        .map(({ rung, runIndex, place }) => ({ rung, run: runIndex, place }))
        .sort((a, b) => a.rung - b.rung || a.place - b.place);
      expect(listed, sweepId).toEqual(ranked);
      const left = world.policy.synchronous
        ? []
        : sweep.runs.flatMap(({ state }, index) => (state === 'INFEASIBLE' ? [index] : []));
      const shown = world.state.rungs.flat().filter(({ runIndex }) => !left.includes(runIndex));
      expect(items).toHaveLength(shown.length);
    }
  },
);
