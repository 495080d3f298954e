import { isTerminalRunState } from '../../core/states/run-state.ts';
import type { Stage } from '../../core/task.ts';
import { epochLimitOf } from './sweep-progress.ts';
import type { RunProgress, SweepProgress } from './sweep-progress.ts';

/** Share of the work after which the measured pace replaces that of the forecast. */
const PACE_FROM = 0.05;

const ORDER: readonly Stage[] = ['INDEX', 'PROBE', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE'];

/** Returns the seconds since the first lease, until the end or now; null before the first lease. */
export function elapsedSeconds({ startTime, endTime }: SweepProgress, now: Date): number | null {
  if (startTime === null) return null;
  return Math.max(0, ((endTime ?? now).getTime() - startTime.getTime()) / 1_000);
}

/** Returns whether rounds may follow, whose work no forecast has yet. */
function mayGrow({ state, runs, mostRuns }: SweepProgress): boolean {
  if (state !== 'ACTIVE' || (mostRuns !== null && runs.size >= mostRuns)) return false;
  return [...runs.values()].some(({ run }) => run.round !== null);
}

/**
 * Returns the share of the forecast work that is done, from 0 to 1; null without a forecast, and while rounds may follow. Ended runs count as complete, since
 * early stopping ends them, too.
 */
export function workDone(progress: SweepProgress): number | null {
  if (mayGrow(progress)) return null;
  let done = 0;
  let total = 0;
  for (const { stage, forecastSeconds, taskCount } of progress.forecast?.stages ?? []) {
    if (stage === null || forecastSeconds === null) continue;
    total += forecastSeconds;
    done += forecastSeconds * stageDone(progress, stage, taskCount);
  }
  return total === 0 ? null : Math.min(1, done / total);
}

/** Returns the expected seconds until the end; null if unknown. */
export function remainingSeconds(progress: SweepProgress, now: Date): number | null {
  const done = workDone(progress);
  const wall = progress.forecast?.wallSeconds ?? null;
  const elapsed = elapsedSeconds(progress, now);
  if (done === null || wall === null || elapsed === null || progress.state !== 'ACTIVE') return null;
  return done < PACE_FROM ? Math.max(0, wall - elapsed) : (elapsed * (1 - done)) / done;
}

function stageDone(progress: SweepProgress, stage: Stage, taskCount: number): number {
  if (stage !== 'HEAD' && stage !== 'FINE_TUNE') {
    return taskCount === 0 ? 0 : Math.min(1, (progress.endedTasks.get(stage) ?? 0) / taskCount);
  }
  let done = 0;
  let epochs = 0;
  for (const known of progress.runs.values()) {
    const limit = epochLimitOf(known.run, stage) ?? 0;
    // A shared head is trained once, by another run.
    if (stage === 'HEAD' && known.run.headRunId !== null) continue;
    epochs += limit;
    // A run that waits at a rung has done what is planned for it.
    const waits = progress.state === 'ACTIVE' && known.state === 'PAUSED';
    done += limit * (waits ? 1 : runDone(known, stage, limit));
  }
  return epochs === 0 ? 0 : done / epochs;
}

function runDone({ state, stage: current, epoch }: RunProgress, stage: Stage, limit: number): number {
  if (isTerminalRunState(state)) return 1;
  if (current === null) return 0;
  const ahead = ORDER.indexOf(current) - ORDER.indexOf(stage);
  if (ahead !== 0) return ahead > 0 ? 1 : 0;
  return limit === 0 ? 0 : Math.min(1, epoch / limit);
}
