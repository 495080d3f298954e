import { isBetter } from '../../core/objective.ts';
import type { Objective } from '../../core/objective.ts';
import { findBest } from '../../core/ranking.ts';
import type { RankedRun } from '../../core/ranking.ts';
import type {
  Run,
  Stage,
  Sweep,
  SweepEvent,
  SweepEventBody,
  SweepState,
  RunState,
  TestResult,
} from '../client/types.ts';

/** One run as a watcher sees it. */
export interface RunProgress {
  readonly run: Run;
  readonly state: RunState;
  readonly reason: string;
  readonly stage: Stage | null;
  readonly epoch: number;
  readonly valLoss: number | null;
  readonly valAccuracy: number | null;
  /** Objective's best value so far, those of a head that it shares included. */
  readonly bestValue: number | null;
  /** At the best epoch, as is what follows. */
  readonly bestValLoss: number | null;
  readonly bestValAccuracy: number | null;
}

/** What a run is ranked by, as far as the events tell. */
export function rankedRun({ run, state, bestValue, bestValLoss, bestValAccuracy }: RunProgress): RankedRun {
  return { runIndex: run.runIndex, state, bestValue, bestValLoss, bestValAccuracy };
}

/** A sweep as a watcher sees it: a fold over its events. */
export interface SweepProgress {
  readonly sweepId: string;
  readonly displayName: string;
  readonly objective: Objective;
  readonly state: SweepState;
  readonly reason: string;
  readonly runs: ReadonlyMap<string, RunProgress>;
  readonly bestRunId: string | null;
  readonly testResults: ReadonlyMap<string, TestResult>;
  /** Tasks that a slot works on, by id. */
  readonly activeTasks: ReadonlyMap<string, { readonly stage: Stage | null; readonly trainerId: string }>;
  /** Last event that is in here. */
  readonly cursor: bigint;
}

/** Before the first event: runs without results, whatever they have by now, since their events come again. */
export function startProgress(sweep: Sweep, runs: readonly Run[]): SweepProgress {
  return {
    sweepId: sweep.sweepId,
    displayName: sweep.spec.displayName,
    objective: sweep.spec.objective,
    state: sweep.state,
    reason: sweep.stateReason,
    runs: new Map(runs.map((run) => [run.runId, freshRun(run)])),
    bestRunId: null,
    testResults: new Map(),
    activeTasks: new Map(),
    cursor: 0n,
  };
}

/** The progress after one more event. Events of runs that are not known are passed over: `addRuns` first. */
export function applyEvent(progress: SweepProgress, event: SweepEvent): SweepProgress {
  return { ...applyBody(progress, event.body), cursor: event.cursor };
}

/** Runs that were made since, and what planning said of the others. */
export function addRuns(progress: SweepProgress, runs: readonly Run[]): SweepProgress {
  const all = new Map(progress.runs);
  for (const run of runs) {
    const known = all.get(run.runId);
    all.set(run.runId, known === undefined ? freshRun(run) : { ...known, run });
  }
  return { ...progress, runs: all };
}

/** Whether the runs may be other ones from this event on: which of them share a head is known when the images are indexed. */
export function changesRuns(progress: SweepProgress, event: SweepEvent): boolean {
  const { body } = event;
  return (
    isAboutUnknownRun(progress, event) || (body.kind === 'task' && body.stage === 'INDEX' && body.state === 'SUCCEEDED')
  );
}

/** Whether the event is about a run that is not known yet. */
export function isAboutUnknownRun(progress: SweepProgress, event: SweepEvent): boolean {
  const { body } = event;
  return (body.kind === 'run_state' || body.kind === 'epoch') && !progress.runs.has(body.runId);
}

/** Epochs that the run's present stage was given; null where it has none. */
export function epochLimitOf(run: Run, stage: Stage | null): number | null {
  const name = stage === 'HEAD' ? 'epochs' : stage === 'FINE_TUNE' ? 'fine_tune.epochs' : null;
  const limit = name === null ? undefined : run.parameters[name];
  return typeof limit === 'number' ? limit : null;
}

function freshRun(run: Run): RunProgress {
  return {
    run,
    state: 'QUEUED',
    reason: '',
    stage: null,
    epoch: 0,
    valLoss: null,
    valAccuracy: null,
    bestValue: null,
    bestValLoss: null,
    bestValAccuracy: null,
  };
}

function applyBody(progress: SweepProgress, body: SweepEventBody): SweepProgress {
  switch (body.kind) {
    case 'sweep_state':
      return { ...progress, state: body.state, reason: body.reason };
    case 'run_state':
      return withBest(
        withRun(progress, body.runId, (known) => ({
          ...known,
          state: body.state,
          reason: body.reason,
          stage: body.stage ?? known.stage,
          epoch: body.stage !== null && body.stage !== known.stage ? 0 : known.epoch,
        })),
        [body.runId],
      );
    case 'epoch':
      return applyEpoch(progress, body);
    case 'task':
      return applyTask(progress, body);
    case 'test_result':
      return { ...progress, testResults: new Map(progress.testResults).set(body.result.runId, body.result) };
  }
}

type EpochBody = Extract<SweepEventBody, { kind: 'epoch' }>;

function applyEpoch(progress: SweepProgress, body: EpochBody): SweepProgress {
  const measured = withRun(progress, body.runId, (known) => ({
    ...withBestValue(progress.objective, known, body),
    stage: body.stage ?? known.stage,
    epoch: body.epoch,
    valLoss: body.metrics['val_loss'] ?? null,
    valAccuracy: body.metrics['val_accuracy'] ?? null,
  }));
  // A shared head's epochs are measured once, and count for all runs that start from it.
  const sharing =
    body.stage === 'HEAD'
      ? [...progress.runs.values()].filter(({ run }) => run.headRunId === body.runId).map(({ run }) => run.runId)
      : [];
  const shared = sharing.reduce(
    (next, runId) => withRun(next, runId, (known) => withBestValue(progress.objective, known, body)),
    measured,
  );
  return withBest(shared, [body.runId, ...sharing]);
}

function withBestValue(objective: Objective, known: RunProgress, { metrics }: EpochBody): RunProgress {
  const value = metrics[objective.metric] ?? Number.NaN;
  if (!isBetter(objective, value, known.bestValue)) return known;
  return {
    ...known,
    bestValue: value,
    bestValLoss: metrics['val_loss'] ?? null,
    bestValAccuracy: metrics['val_accuracy'] ?? null,
  };
}

/** The best run after these have changed; all are looked at where the best one was among them. */
function withBest(progress: SweepProgress, changed: readonly string[]): SweepProgress {
  const { runs, objective, bestRunId } = progress;
  const ids = bestRunId === null || !changed.includes(bestRunId) ? [bestRunId ?? '', ...changed] : [...runs.keys()];
  const candidates = ids.flatMap((runId) => {
    const known = runs.get(runId);
    return known === undefined ? [] : [{ runId, ...rankedRun(known) }];
  });
  return { ...progress, bestRunId: findBest(objective, candidates)?.runId ?? null };
}

function applyTask(progress: SweepProgress, body: Extract<SweepEventBody, { kind: 'task' }>): SweepProgress {
  const activeTasks = new Map(progress.activeTasks);
  if (body.state === 'LEASED') activeTasks.set(body.taskId, { stage: body.stage, trainerId: body.trainerId });
  else activeTasks.delete(body.taskId);
  return { ...progress, activeTasks };
}

function withRun(progress: SweepProgress, runId: string, change: (known: RunProgress) => RunProgress): SweepProgress {
  const known = progress.runs.get(runId);
  if (known === undefined) return progress;
  return { ...progress, runs: new Map(progress.runs).set(runId, change(known)) };
}
