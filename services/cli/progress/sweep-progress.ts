import { isBetter } from '../../core/objective.ts';
import type { Objective } from '../../core/objective.ts';
import { findBest } from '../../core/ranking.ts';
import type { RankedRun } from '../../core/ranking.ts';
import { metricsOf } from '../../core/records/event.ts';
import type { EpochEvent, StoredEvent, SweepEvent } from '../../core/records/event.ts';
import type { RungEntryRecord } from '../../core/records/explanation.ts';
import type { SweepForecastRecord } from '../../core/records/forecast.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { TestResultRecord } from '../../core/records/test-result.ts';
import type { RunState } from '../../core/states/run-state.ts';
import { isAdaptive } from '../../core/samplers/samplers.ts';
import { isTerminalSweepState } from '../../core/states/sweep-state.ts';
import type { SweepState } from '../../core/states/sweep-state.ts';
import type { Stage } from '../../core/task.ts';

/** The progress of one run. */
export interface RunProgress {
  readonly run: RunRecord;
  readonly state: RunState;
  readonly reason: string;
  readonly stage: Stage | null;
  readonly epoch: number;
  /** Metrics of the last epoch, by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Best value of the objective so far, including that of a shared head. */
  readonly bestValue: number | null;
  /** Stage and epoch of the best value; null and 0 before the first value. */
  readonly bestStage: Stage | null;
  readonly bestEpoch: number;
  /** Validation loss at the best epoch. */
  readonly bestValLoss: number | null;
  readonly bestValAccuracy: number | null;
}

/** Returns the values that rank a run, as far as its events have them. */
export function rankedRun({ run, state, bestValue, bestValLoss, bestValAccuracy }: RunProgress): RankedRun {
  return { runIndex: run.runIndex, state, bestValue, bestValLoss, bestValAccuracy };
}

/** The place of a run at the highest rung that it has reached. */
export interface RungPlace {
  readonly rung: number;
  readonly place: number;
  /** Number of runs that it competes with there, itself included. */
  readonly count: number;
}

/** The progress of a sweep: a fold over its events. */
export interface SweepProgress {
  readonly sweepId: string;
  readonly displayName: string;
  readonly objective: Objective;
  /** Bound on the runs of a strategy that asks for rounds of them; null: no round follows, or there is no bound. */
  readonly mostRuns: number | null;
  readonly state: SweepState;
  readonly reason: string;
  readonly runs: ReadonlyMap<string, RunProgress>;
  /** Places at rungs by run; empty while no run has reached one. */
  readonly places: ReadonlyMap<string, RungPlace>;
  readonly bestRunId: string | null;
  readonly testResults: ReadonlyMap<string, TestResultRecord>;
  /** Leased tasks, by id. */
  readonly activeTasks: ReadonlyMap<string, { readonly stage: Stage | null; readonly trainerId: string }>;
  /** Number of tasks that have succeeded or failed, by stage. */
  readonly endedTasks: ReadonlyMap<Stage, number>;
  /** Null until the sweep is planned. */
  readonly forecast: SweepForecastRecord | null;
  /** Time of the first lease; null before it. */
  readonly startTime: Date | null;
  /** Null until the sweep has ended. */
  readonly endTime: Date | null;
  /** Cursor of the last applied event. */
  readonly cursor: bigint;
}

/** Returns the progress before the first event. Runs start without results, since all their events follow. */
export function startProgress(sweep: SweepRecord, runs: readonly RunRecord[]): SweepProgress {
  return {
    sweepId: sweep.sweepId,
    displayName: sweep.displayName,
    objective: sweep.spec.objective,
    mostRuns: isAdaptive(sweep.spec) ? sweep.spec.maxRuns : null,
    state: sweep.state,
    reason: sweep.stateReason,
    runs: new Map(runs.map((run) => [run.runId, freshRun(run)])),
    places: new Map(),
    bestRunId: null,
    testResults: new Map(),
    activeTasks: new Map(),
    endedTasks: new Map(),
    forecast: null,
    startTime: sweep.startTime,
    endTime: sweep.endTime,
    cursor: 0n,
  };
}

/** Returns the progress after an event. Ignores events of unknown runs: call `addRuns` first. */
export function applyEvent(progress: SweepProgress, { cursor, event, eventTime }: StoredEvent): SweepProgress {
  const changed = { ...applyChange(progress, event), cursor };
  if (event.kind === 'TASK' && event.state === 'LEASED')
    return { ...changed, startTime: changed.startTime ?? eventTime };
  const hasEnded = event.kind === 'SWEEP_STATE' && isTerminalSweepState(event.state);
  return hasEnded ? { ...changed, endTime: eventTime } : changed;
}

/** Adds the forecast, which exists once the sweep is planned. */
export function withForecast(progress: SweepProgress, forecast: SweepForecastRecord): SweepProgress {
  return { ...progress, forecast };
}

/** Replaces the places at rungs. Places change with each arrival, so they are read from the coordinator instead of events. */
export function withPlaces(progress: SweepProgress, entries: readonly RungEntryRecord[]): SweepProgress {
  const places = new Map<string, RungPlace>();
  const counts = new Map<string, number>();
  const keyOf = ({ rung, competes }: RungEntryRecord): string => `${rung} ${competes}`;
  for (const entry of entries) counts.set(keyOf(entry), (counts.get(keyOf(entry)) ?? 0) + 1);
  for (const entry of entries) {
    const { runId, rung, place } = entry;
    if ((places.get(runId)?.rung ?? -1) < rung)
      places.set(runId, { rung, place, count: counts.get(keyOf(entry)) ?? 0 });
  }
  return { ...progress, places };
}

/** Adds runs that were created since, and updates the others with the results of planning. */
export function addRuns(progress: SweepProgress, runs: readonly RunRecord[]): SweepProgress {
  const all = new Map(progress.runs);
  for (const run of runs) {
    const known = all.get(run.runId);
    all.set(run.runId, known === undefined ? freshRun(run) : { ...known, run });
  }
  return { ...progress, runs: all };
}

/** Returns whether the runs must be listed again: an unknown run, or planning after INDEX or a screen, which decides the shared heads. */
export function changesRuns(progress: SweepProgress, stored: StoredEvent): boolean {
  const { event } = stored;
  if (event.kind === 'TASK') {
    if (event.stage === 'PROBE') return event.state === 'SUCCEEDED' || event.state === 'FAILED';
    return event.stage === 'INDEX' && event.state === 'SUCCEEDED';
  }
  return isAboutUnknownRun(progress, stored);
}

/** Returns whether the event is about an unknown run. */
export function isAboutUnknownRun(progress: SweepProgress, { event }: StoredEvent): boolean {
  return (event.kind === 'RUN_STATE' || event.kind === 'EPOCH') && !progress.runs.has(event.runId);
}

/** Returns the epoch limit of the run's current stage; null if the stage has none. */
export function epochLimitOf(run: RunRecord, stage: Stage | null): number | null {
  const name = stage === 'HEAD' ? 'epochs' : stage === 'FINE_TUNE' ? 'fine_tune.epochs' : null;
  const limit = name === null ? undefined : run.parameters[name];
  return typeof limit === 'number' ? limit : null;
}

function freshRun(run: RunRecord): RunProgress {
  return {
    run,
    state: 'QUEUED',
    reason: '',
    stage: null,
    epoch: 0,
    metrics: {},
    bestValue: null,
    bestStage: null,
    bestEpoch: 0,
    bestValLoss: null,
    bestValAccuracy: null,
  };
}

function applyChange(progress: SweepProgress, event: SweepEvent): SweepProgress {
  switch (event.kind) {
    case 'SWEEP_STATE':
      return { ...progress, state: event.state, reason: event.reason };
    case 'RUN_STATE':
      return withBest(
        withRun(progress, event.runId, (known) => ({
          ...known,
          state: event.state,
          reason: event.reason,
          stage: event.stage ?? known.stage,
          epoch: event.stage !== null && event.stage !== known.stage ? 0 : known.epoch,
        })),
        [event.runId],
      );
    case 'EPOCH':
      return applyEpoch(progress, event);
    case 'TASK':
      return applyTask(progress, event);
    case 'TEST_RESULT':
      return { ...progress, testResults: new Map(progress.testResults).set(event.result.runId, event.result) };
  }
}

function applyEpoch(progress: SweepProgress, event: EpochEvent): SweepProgress {
  const metrics = metricsOf(event);
  const measured = withRun(progress, event.runId, (known) => ({
    ...withBestValue(progress.objective, known, event, metrics),
    stage: event.stage ?? known.stage,
    epoch: event.epoch,
    metrics,
  }));
  // The epochs of a shared head are measured once and count for all runs that start from it.
  const sharing =
    event.stage === 'HEAD'
      ? [...progress.runs.values()].filter(({ run }) => run.headRunId === event.runId).map(({ run }) => run.runId)
      : [];
  const shared = sharing.reduce(
    (next, runId) => withRun(next, runId, (known) => withBestValue(progress.objective, known, event, metrics)),
    measured,
  );
  return withBest(shared, [event.runId, ...sharing]);
}

/** Returns a run after an epoch of its own or of its shared head, whose `metrics` are those of `event` by name. */
function withBestValue(
  objective: Objective,
  known: RunProgress,
  event: EpochEvent,
  metrics: RunProgress['metrics'],
): RunProgress {
  const value = metrics[objective.metric] ?? Number.NaN;
  if (!isBetter(objective, value, known.bestValue)) return known;
  return {
    ...known,
    bestValue: value,
    bestStage: event.stage,
    bestEpoch: event.epoch,
    bestValLoss: metrics['val_loss'] ?? null,
    bestValAccuracy: metrics['val_accuracy'] ?? null,
  };
}

/** Updates the best run after `changed` runs changed. Compares all runs if the best one is among them. */
function withBest(progress: SweepProgress, changed: readonly string[]): SweepProgress {
  const { runs, objective, bestRunId } = progress;
  const ids = bestRunId === null || !changed.includes(bestRunId) ? [bestRunId ?? '', ...changed] : [...runs.keys()];
  const candidates = ids.flatMap((runId) => {
    const known = runs.get(runId);
    // Repetitions with other seeds are not ranked.
    return known === undefined || known.run.repeatOfRunId !== null ? [] : [{ runId, ...rankedRun(known) }];
  });
  return { ...progress, bestRunId: findBest(objective, candidates)?.runId ?? null };
}

function applyTask(progress: SweepProgress, event: Extract<SweepEvent, { kind: 'TASK' }>): SweepProgress {
  const activeTasks = new Map(progress.activeTasks);
  if (event.state === 'LEASED') activeTasks.set(event.taskId, { stage: event.stage, trainerId: event.trainerId });
  else activeTasks.delete(event.taskId);
  const { stage } = event;
  const hasEnded = stage !== null && (event.state === 'SUCCEEDED' || event.state === 'FAILED');
  const endedTasks = hasEnded
    ? new Map(progress.endedTasks).set(stage, (progress.endedTasks.get(stage) ?? 0) + 1)
    : progress.endedTasks;
  return { ...progress, activeTasks, endedTasks };
}

function withRun(progress: SweepProgress, runId: string, change: (known: RunProgress) => RunProgress): SweepProgress {
  const known = progress.runs.get(runId);
  if (known === undefined) return progress;
  return { ...progress, runs: new Map(progress.runs).set(runId, change(known)) };
}
