import { metricsOf } from '../../core/records/event.ts';
import type { StoredEvent, SweepEvent } from '../../core/records/event.ts';
import { isTerminalRunState } from '../../core/states/run-state.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatMetric, formatParameters } from '../terminal/format.ts';
import { epochLimitOf } from './sweep-progress.ts';
import type { RunProgress, SweepProgress } from './sweep-progress.ts';

/** Returns one plain line for an event; null if the event is not worth a line. */
export function describeEvent(progress: SweepProgress, { event }: StoredEvent): string | null {
  switch (event.kind) {
    case 'SWEEP_STATE': {
      const failed = event.state === 'SUCCEEDED' ? failures(progress.runs.values()) : '';
      return `sweep ${event.state}${failed}${because(event.reason)}`;
    }
    case 'RUN_STATE':
      return `run ${runName(progress, event.runId)} ${event.state}${whyEnded(progress, event)}`;
    case 'EPOCH':
      return epochLine(progress, event.runId, event.epoch, metricsOf(event));
    case 'TASK':
      return `task ${escapeControls(event.taskId)} ${event.stage ?? ''} ${event.state}${onTrainer(event.trainerId)}${because(event.message)}`;
    case 'TEST_RESULT': {
      const { runId, accuracy, accuracyLow, accuracyHigh, imageCount } = event.result;
      const interval = `${formatMetric(accuracyLow)} – ${formatMetric(accuracyHigh)}`;
      return `test ${runName(progress, runId)} accuracy ${formatMetric(accuracy)} (95 %: ${interval}) on ${countOf(imageCount, 'image')}`;
    }
  }
}

function epochLine(
  progress: SweepProgress,
  runId: string,
  epoch: number,
  metrics: Readonly<Record<string, number>>,
): string {
  const known = progress.runs.get(runId);
  const limit = known === undefined ? null : epochLimitOf(known.run, known.stage);
  const best = progress.bestRunId === runId && known?.bestValue === metrics[progress.objective.metric];
  const names = new Set(['loss', 'accuracy', 'val_loss', 'val_accuracy', progress.objective.metric]);
  const values = [...names]
    .filter((name) => metrics[name] !== undefined)
    .map((name) => `${name} ${formatMetric(metrics[name])}`);
  const counted = limit === null ? String(epoch) : `${epoch}/${limit}`;
  return `run ${runName(progress, runId)} ${known?.stage ?? ''} epoch ${counted} ${values.join(' ')}${best ? ' best' : ''}`;
}

/** Returns `, 2 FAILED, 1 INFEASIBLE`, each count as `show` returns it; empty if there are none. */
export function failures(runs: Iterable<RunProgress>, show = (text: string): string => text): string {
  const words = [...runs].map(({ state }) => state).filter((state) => state === 'FAILED' || state === 'INFEASIBLE');
  return ['FAILED', 'INFEASIBLE']
    .map((word) => ({ word, count: words.filter((state) => state === word).length }))
    .filter(({ count }) => count > 0)
    .map(({ word, count }) => `, ${show(`${count} ${word}`)}`)
    .join('');
}

/** Returns a run's number and varied parameters: `3 (head.units=64)`. */
function runName(progress: SweepProgress, runId: string): string {
  const run = progress.runs.get(runId)?.run;
  if (run === undefined) return runId;
  const parameters = formatParameters(run.parameters, run.variedNames);
  return parameters === '' ? String(run.runIndex) : `${run.runIndex} (${parameters})`;
}

/** Returns a run's reason; refers to an earlier run that ended for the same one. */
function whyEnded(
  progress: SweepProgress,
  { runId, state, reason }: Extract<SweepEvent, { kind: 'RUN_STATE' }>,
): string {
  if (reason === '' || !isTerminalRunState(state)) return because(reason);
  const isSame = (other: RunProgress): boolean =>
    other.run.runId !== runId && other.state === state && other.reason === reason;
  const earlier = [...progress.runs.values()].find(isSame);
  return earlier === undefined ? because(reason) : `, for the same reason as run ${earlier.run.runIndex}`;
}

function because(reason: string): string {
  return reason === '' ? '' : `: ${escapeControls(reason)}`;
}

function onTrainer(trainerId: string): string {
  return trainerId === '' ? '' : ` on ${escapeControls(trainerId)}`;
}
