import type { FrontEntryRecord } from '../../core/records/pareto-front.ts';
import type { QuantileRange } from '../../core/records/plan.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { Leaderboard } from '../client/client-port.ts';
import { formatBytes, formatDuration, formatInterval, formatParameters } from '../terminal/format.ts';

/** Returns a range of seconds: `2 min 10 s to 3 min 40 s`, or `12.0 s` where both ends are equal. */
export function describeSeconds({ low, high }: Pick<QuantileRange, 'low' | 'high'>): string {
  const [from, to] = [formatDuration(low * 1_000), formatDuration(high * 1_000)];
  return from === to ? from : `${from} to ${to}`;
}

/** Returns the outcome of a search: the winner with its test, what is as good and smaller, the time. */
export function describeAuto(
  sweep: SweepRecord,
  leaderboard: Leaderboard,
  front: readonly FrontEntryRecord[],
  forecast: { readonly wallSeconds: QuantileRange; readonly slotSecondsAlone: number } | null,
): readonly string[] {
  const winner = leaderboard.entries.find(({ run }) => run.runId === sweep.bestRunId) ?? leaderboard.entries[0];
  if (winner === undefined) return ['No run has a result.'];
  const { run, testResult } = winner;
  const { winnerStatement } = leaderboard;
  return [
    `Winner: run ${run.runIndex} of ${sweep.runCount} (${formatParameters(run.parameters, run.variedNames)})`,
    ...(testResult === null
      ? ['It was not tested.']
      : [
          `Test accuracy: ${formatInterval(testResult.accuracy, testResult.accuracyLow, testResult.accuracyHigh)}, 95 % interval; ` +
            `${testResult.correctCount} of ${countOf(testResult.imageCount, 'image')} ${testResult.correctCount === 1 ? 'is' : 'are'} right.`,
        ]),
    ...(winnerStatement === null ? [] : [escapeControls(winnerStatement.sentence)]),
    ...smallerLine(winner.run, front),
    ...timeLines(sweep, forecast),
  ];
}

/** Names the smallest run that is as good as the winner by the validation images. */
function smallerLine(
  { runIndex, modelBytes }: Leaderboard['entries'][number]['run'],
  front: readonly FrontEntryRecord[],
): readonly string[] {
  const smaller = front.find(({ tiedRunIndexes }) => tiedRunIndexes.includes(runIndex))?.run;
  if (smaller === undefined || smaller.modelBytes === null || modelBytes === null) return [];
  return [
    `Smaller: run ${smaller.runIndex} is within one standard error of it on the validation images, with ${formatBytes(smaller.modelBytes)} ` +
      `instead of ${formatBytes(modelBytes)} (${formatParameters(smaller.parameters, smaller.variedNames)}).`,
  ];
}

function timeLines(
  { startTime, endTime, spentSlotSeconds }: SweepRecord,
  forecast: { readonly wallSeconds: QuantileRange; readonly slotSecondsAlone: number } | null,
): readonly string[] {
  if (startTime === null || endTime === null) return [];
  const took = formatDuration(endTime.getTime() - startTime.getTime());
  const spent = formatDuration(spentSlotSeconds * 1_000);
  if (forecast === null) return [`Time: ${took}, ${spent} of slots.`];
  return [
    `Time: ${took} (forecast ${describeSeconds(forecast.wallSeconds)}), ${spent} of slots; each run on its own, trained to its end, would take ` +
      `about ${formatDuration(forecast.slotSecondsAlone * 1_000)}.`,
  ];
}
