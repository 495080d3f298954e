import { DEFAULT_PRIORITY, STOPPING_DEFAULTS } from '../../core/sweep/search-spec.ts';
import type { BudgetSpec, StoppingSpec } from '../../core/sweep/search-spec.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { formatDuration } from '../terminal/format.ts';

/** Returns the facts on how a sweep is stopped, bounded and scheduled; only those that were set. */
export function searchFacts(sweep: SweepRecord): readonly (readonly [string, string])[] {
  const { spec, budget, priority, maxParallelSlots } = sweep;
  return [
    ...(spec.stopping === undefined ? [] : [['stopping', describeStopping(spec.stopping)] as const]),
    ...(budget === null ? [] : [['budget', describeBudget(budget, sweep)] as const]),
    ...(priority === DEFAULT_PRIORITY ? [] : [['priority', String(priority)] as const]),
    ...(maxParallelSlots === null ? [] : [['slots', `at most ${maxParallelSlots} at once`] as const]),
    ...(spec.reuse === false ? [['reuse', 'no results of other sweeps'] as const] : []),
  ];
}

/** Describes a rule with what differs from its defaults: `asha, one in 4 continues, rungs of fine-tuning 3, 9`. */
function describeStopping(stopping: StoppingSpec): string {
  const { rule, rungs, minEntries, threshold, patience } = stopping;
  const isChanged = (key: keyof StoppingSpec): boolean => stopping[key] !== STOPPING_DEFAULTS[key];
  const epochs = (phase: string, list: readonly number[]): string[] =>
    list.length === 0 ? [] : [`rungs of ${phase} ${list.join(', ')}`];
  return [
    rule ?? 'promotion where runs are fine-tuned',
    ...(isChanged('reductionFactor') ? [`one in ${stopping.reductionFactor} continues`] : []),
    ...(rungs === null ? [] : [...epochs('heads', rungs.head), ...epochs('fine-tuning', rungs.fineTune)]),
    ...(minEntries === null ? [] : [`from ${minEntries} entries`]),
    ...(isChanged('percentile') ? [`worst ${stopping.percentile} %`] : []),
    ...(isChanged('confidence') ? [`confidence ${stopping.confidence}`] : []),
    ...(threshold === null ? [] : [`worse than ${threshold.worseThan} from epoch ${threshold.fromEpoch}`]),
    ...(patience === null ? [] : [`patience ${patience.epochs} epochs${deltaOf(patience.minDelta)}`]),
    ...(isChanged('keepPaused') ? [`keeps ${stopping.keepPaused} paused`] : []),
    ...(stopping.synchronous ? ['synchronous'] : []),
    ...(stopping.promoteIdle ? [] : ['idle slots promote nothing']),
  ].join(', ');
}

function deltaOf(minDelta: number): string {
  return minDelta === 0 ? '' : ` without ${minDelta} of progress`;
}

function describeBudget({ slotSeconds, wallSeconds, target }: BudgetSpec, { spec }: SweepRecord): string {
  const { metric, goal } = spec.objective;
  const bound = metric === 'val_accuracy' ? ` with confidence ${target?.confidence}` : '';
  return [
    ...(slotSeconds === null ? [] : [`${formatDuration(slotSeconds * 1_000)} of slots`]),
    ...(wallSeconds === null ? [] : [`${formatDuration(wallSeconds * 1_000)} of wall time`]),
    ...(target === null
      ? []
      : [`until ${metric} is at ${goal === 'minimize' ? 'most' : 'least'} ${target.value}${bound}`]),
  ].join(', ');
}
