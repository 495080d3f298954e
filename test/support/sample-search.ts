import type { Prisma } from '../../prisma/client/client.ts';
import { parseSweepFile } from '../../services/cli/sweep-file/parse-sweep-file.ts';
import { addDecisions } from '../../services/coordinator/store/rungs/add-decisions.ts';
import { enterRungs } from '../../services/coordinator/store/rungs/enter-rungs.ts';
import { readEntries } from '../../services/coordinator/store/rungs/read-entries.ts';
import { insertSearch, lockSearch } from '../../services/coordinator/store/rungs/search-row.ts';
import type { LockedSearch } from '../../services/coordinator/store/rungs/search-row.ts';
import type { Store } from '../../services/coordinator/store/store.ts';
import { inTransaction } from '../../services/coordinator/store/transaction.ts';
import type { StoreTransaction } from '../../services/coordinator/store/transaction.ts';
import { runIdOf } from '../../services/core/ids.ts';
import { sampleRuns, variedNames } from '../../services/core/samplers/sample-runs.ts';
import { compileRunConfig } from '../../services/core/search-space/compile.ts';
import { nextAction } from '../../services/core/stopping/advance.ts';
import { notPromotedReason } from '../../services/core/stopping/steps/end.ts';
import { actionInputs } from '../../services/core/stopping/decision-inputs.ts';
import { ladderRun, pathOf, stepAfter } from '../../services/core/stopping/ladder.ts';
import type { RungStep } from '../../services/core/stopping/ladder.ts';
import { pausesAt, policyOf } from '../../services/core/stopping/policy.ts';
import type { SearchPolicy } from '../../services/core/stopping/policy.ts';
import type { SearchRun, SearchRunStatus, SearchState } from '../../services/core/stopping/search-state.ts';
import type { SweepSpec } from '../../services/core/sweep/sweep-spec.ts';

export const SEARCH_SWEEP = 'search';
const DATASET = 'dfedcba9876543210';
const IMAGES = 40;

const FILE = `
display_name: head, then fine-tune
dataset: { path: /data/pets }
base: { backbone: mobilenet_v2, epochs: 10, fine_tune.enabled: true, fine_tune.epochs: 27 }
parameters:
  head.units: [16, 32, 64, 128, 256, 384, 448, 480, 512]
objective: { metric: val_accuracy, goal: maximize }
stopping: { rule: promotion, rungs: { fine_tune: [3, 9] } }
seed: 3`;

/** Images that each run gets wrong at the end of its head: run 4 is the best, and run 0, the baseline, the second. */
const WRONG = [10, 15, 18, 20, 8, 13, 14, 16, 22];

interface Run extends SearchRun {
  status: SearchRunStatus;
  rung: number | null;
  readonly runId: string;
}

/** Returns the spec of the sample search, or of another file. */
export function searchSpec(file = FILE): SweepSpec {
  const { spec, violations } = parseSweepFile(file, { folder: '/', home: '/' });
  if (violations.length > 0) throw new Error(JSON.stringify(violations));
  return spec;
}

/**
 * Writes an ended sweep of nine fine-tuned runs under promotion, as a coordinator with one slot would: entries, verdicts and promotions
 * come from the functions that it calls.
 */
export async function insertSampleSearch(store: Store, spec = searchSpec(), sweepId = SEARCH_SWEEP): Promise<void> {
  const { runs: sampled } = sampleRuns(spec);
  const ladderRuns = sampled.map(({ index, parameters }) => ladderRun(index, compileRunConfig(parameters)));
  const policy = policyOf(spec, ladderRuns);
  const runs = ladderRuns.map((run): Run => ({
    index: run.index,
    runId: runIdOf(sweepId, run.index),
    status: 'TRAINING',
    rung: null,
    path: pathOf(policy.ladder, run),
    nextSeconds: 0,
    idleFrom: [],
  }));
  await insertRows(store, spec, sweepId, runs, sampled);
  await inTransaction(store, async (tx) => {
    await insertSearch(tx, sweepId, policy);
    const search = await lockSearch(tx, sweepId);
    if (search === null) throw new Error('The search is not there.');
    // Runs that no rule pauses come to each rung together, as on as many slots.
    while (runs.some(({ status }) => status === 'TRAINING')) {
      for (const run of runs) if (run.status === 'TRAINING') await train(tx, search, run);
    }
    for (;;) {
      const action = nextAction(policy, await stateOf(tx, search, runs));
      if (action === null) throw new Error('A search with nothing to train continues.');
      const run = action.kind === 'PROMOTE' ? runs[action.runIndex] : undefined;
      const { kind, rule, reason } = action;
      const about = action.kind === 'PROMOTE' ? action : { rung: null, place: null, cut: null };
      const inputs = actionInputs(await stateOf(tx, search, runs));
      await addDecisions(tx, search, [{ ...about, kind, rule, reason, runId: run?.runId ?? null, inputs }]);
      if (run === undefined) break;
      run.status = 'TRAINING';
      await train(tx, search, run);
    }
    await end(tx, search, runs, policy);
  });
}

/** Trains a run to its next rung. */
async function train(tx: StoreTransaction, search: LockedSearch, run: Run): Promise<void> {
  const step = stepAfter(run.path, run.rung);
  if (step === null) throw new Error('The run is at its end.');
  const correct = correctOf(run.index, step);
  const count = [...correct].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  const value = count / IMAGES;
  const [judged] = await enterRungs(tx, search, [
    {
      runId: run.runId,
      rung: step.rung,
      value,
      standardError: Math.sqrt((value * (1 - value)) / IMAGES),
      epoch: step.epoch,
      completedEpochs: step.epoch,
      taskId: `${search.sweepId}-t01`,
      leaseEpoch: 1,
      evidence: { correct, count: IMAGES, losses: null },
    },
  ]);
  run.rung = step.rung;
  const isLast = step.rung === run.path.at(-1)?.rung;
  run.status =
    judged?.verdict.kind === 'STOP'
      ? 'STOPPED'
      : isLast
        ? 'DONE'
        : pausesAt(search.policy, run.path, step)
          ? 'PAUSED'
          : 'TRAINING';
  await tx.query(
    `UPDATE runs SET best_value = $2::float8, best_val_accuracy = $2::float8, best_val_loss = 1 - $2::float8, best_stage = $3, best_epoch = $4, stage = $3,
            epoch_count = $4, last_value = $2::float8 WHERE run_id = $1`,
    [run.runId, value, step.stage, step.epoch],
  );
}

/** Each further rung makes two more images right. */
function correctOf(index: number, { rung }: RungStep): Uint8Array {
  const wrong = Math.max(0, (WRONG[index % WRONG.length] ?? 0) - 2 * rung);
  const bits = Uint8Array.from({ length: IMAGES / 8 }, () => 255);
  for (let image = 0; image < wrong; image++) {
    // Different runs get different images wrong.
    const place = (image * 7 + index * 3) % IMAGES;
    bits[place >> 3] = (bits[place >> 3] ?? 0) & ~(1 << (place & 7));
  }
  return bits;
}

async function stateOf(tx: StoreTransaction, search: LockedSearch, runs: readonly Run[]): Promise<SearchState> {
  const { policy, sweepId } = search;
  const rungs = await readEntries(
    tx,
    sweepId,
    policy,
    policy.ladder.map(({ number }) => number),
  );
  return {
    rungs,
    runs: runs.map((run) => ({ ...run })),
    slots: { count: 1, idle: 1 },
    openTasks: 0,
    spending: { budget: null, spentSeconds: 0, reservedSeconds: 0, wallSeconds: 0, best: null },
  };
}

async function end(
  tx: StoreTransaction,
  search: LockedSearch,
  runs: readonly Run[],
  policy: SearchPolicy,
): Promise<void> {
  const state = await stateOf(tx, search, runs);
  for (const run of runs) {
    const [outcome, cause, reason] =
      run.status === 'PAUSED'
        ? ['STOPPED', 'NOT_PROMOTED', notPromotedReason(policy, state, run)]
        : run.status === 'STOPPED'
          ? ['STOPPED', 'RULE', 'stopped by the rule']
          : ['SUCCEEDED', 'ALL_EPOCHS', ''];
    await tx.query(
      `UPDATE runs SET state = $2, end_cause = $3, state_reason = $4, end_time = now() WHERE run_id = $1`,
      [run.runId, outcome, cause, reason],
    );
  }
  await tx.query(`UPDATE searches SET end_reason = 'ALL_DECIDED', end_time = now() WHERE sweep_id = $1`, [
    search.sweepId,
  ]);
}

async function insertRows(
  { prisma }: Store,
  spec: SweepSpec,
  sweepId: string,
  runs: readonly Run[],
  sampled: ReturnType<typeof sampleRuns>['runs'],
): Promise<void> {
  await prisma.dataset.upsert({
    where: { datasetId: DATASET },
    update: {},
    create: {
      datasetId: DATASET,
      digest: 'fedcba9876543210'.repeat(4),
      path: '/data/pets',
      classNames: ['cat', 'dog'],
      classCounts: ['cat', 'dog'].flatMap((className) =>
        ['train', 'validation', 'test'].map((split) => ({ split, className, imageCount: IMAGES / 2 })),
      ),
      problems: [],
      manifestUri: `manifests/${DATASET}.json`,
    },
  });
  await prisma.sweep.create({
    data: {
      sweepId,
      requestId: `request-${sweepId}`,
      specDigest: 'e'.repeat(64),
      displayName: spec.displayName,
      spec: spec as unknown as Prisma.InputJsonObject,
      state: 'SUCCEEDED',
      datasetId: DATASET,
      objectiveName: spec.objective.metric,
      objectiveGoal: spec.objective.goal,
      testPolicy: 'winner',
      varied: [...variedNames(sampled)],
      weights: [],
      planned: true,
      startTime: new Date(),
      endTime: new Date(),
    },
  });
  for (const { index, runId } of runs) {
    const parameters = sampled[index]?.parameters ?? {};
    await prisma.run.create({
      data: {
        runId,
        sweepId,
        runIndex: index,
        parametersDigest: String(index).padStart(64, '0'),
        parameters: { ...parameters },
        state: 'RUNNING',
        stage: 'HEAD',
        epochCount: 0,
        epochLimit: 27,
        startTime: new Date(),
      },
    });
  }
}
