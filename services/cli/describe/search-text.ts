import { DEFAULT_PRIORITY, STOPPING_DEFAULTS } from '../../core/sweep/search-spec.ts';
import type { Constraint } from '../../core/sweep/constraint.ts';
import type { BudgetSpec, StoppingSpec } from '../../core/sweep/search-spec.ts';
import type { FinalistSpec, WinnerRule } from '../../core/sweep/finalist-spec.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { SearchEnd } from '../../core/records/decision.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { isAdaptive } from '../../core/samplers/samplers.ts';
import { formatBytes, formatCount, formatDuration } from '../terminal/format.ts';

/** Returns the facts on how a sweep is stopped, bounded and scheduled; only those that were set. */
export function searchFacts(sweep: SweepRecord): readonly (readonly [string, string])[] {
  const { spec, budget, priority, maxParallelSlots, searchEnd } = sweep;
  return [
    ...(spec.stopping === undefined ? [] : [['stopping', describeStopping(spec.stopping)] as const]),
    ...(spec.screen === undefined ? [] : [['screen', describeScreen(spec.screen)] as const]),
    ...(budget === null ? [] : [['budget', describeBudget(budget, sweep)] as const]),
    ...(budget === null && spec.stopping === undefined ? [] : [['spent', describeSpent(sweep)] as const]),
    ...(spec.constraints === undefined ? [] : [['constraints', describeConstraints(spec.constraints)] as const]),
    ...(spec.finalists === undefined ? [] : [['finalists', describeFinalists(spec.finalists)] as const]),
    ...(spec.winnerRule === undefined ? [] : [['winner rule', WINNER_RULE_WORDS[spec.winnerRule]] as const]),
    ...(searchEnd === null ? [] : [['search', `ended: ${SEARCH_END_WORDS[searchEnd]}`] as const]),
    ...(priority === DEFAULT_PRIORITY ? [] : [['priority', String(priority)] as const]),
    ...(maxParallelSlots === null ? [] : [['slots', `at most ${maxParallelSlots} at once`] as const]),
    ...(spec.reuse === false ? [['reuse', 'no results of other sweeps'] as const] : []),
  ];
}

function describeConstraints(constraints: readonly Constraint[]): string {
  return constraints
    .map(({ name, atMost }) => `${name} at most ${name === 'model_bytes' ? formatBytes(atMost) : formatCount(atMost)}`)
    .join(', ');
}

const WINNER_RULE_WORDS: Readonly<Record<WinnerRule, string>> = {
  best: 'the best score',
  one_standard_error: 'the cheapest run within one standard error of the best score',
};

function describeFinalists({ runs, seeds }: FinalistSpec): string {
  return seeds === 1 ? 'no run is repeated' : `at most ${countOf(runs, 'run')}, each trained with ${seeds} seeds`;
}

/** Describes how the runs of a sweep are chosen: `gp, 26 runs in 3 rounds so far, at most 48`. */
export function describeStrategy({ spec, runCount, roundCount, searchEnd }: SweepRecord): string {
  if (!isAdaptive(spec)) return spec.strategy;
  const bound = spec.maxRuns === null ? '' : `, at most ${spec.maxRuns}`;
  const soFar = searchEnd === null ? ' so far' : '';
  return `${spec.strategy}, ${countOf(runCount, 'run')} in ${countOf(roundCount, 'round')}${soFar}${bound}`;
}

/** Causes of the end of a search in words. */
const SEARCH_END_WORDS: Readonly<Record<SearchEnd, string>> = {
  ALL_DECIDED: 'every run is decided',
  BUDGET: 'the slot-seconds of the budget are spent',
  WALL_TIME: 'the wall time of the budget has passed',
  TARGET: 'the target is reached',
  USER: 'by a person',
  SPACE_EXHAUSTED: 'every point of the search space is a run',
  PATIENCE: 'the last rounds brought no better run',
};

/** Characters of a full bar. */
const BAR = 20;

/** Returns the slot time of a sweep so far, with its part of the budget as a bar. */
function describeSpent({ spentSlotSeconds, budget }: SweepRecord): string {
  const spent = spentSlotSeconds === 0 ? 'nothing yet' : `${formatDuration(spentSlotSeconds * 1_000)} of slots`;
  const bound = budget?.slotSeconds ?? null;
  if (bound === null) return spent;
  const part = spentSlotSeconds / bound;
  const full = Math.min(BAR, Math.round(BAR * part));
  return `${spent}  ${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${Math.round(100 * part)} % of the budget`;
}

function describeScreen(screen: NonNullable<SweepRecord['spec']['screen']>): string {
  if (screen === 'off') return 'off';
  const images = screen.images === 0 ? '' : `, ${screen.images} images each`;
  return `keeps at most ${countOf(screen.keep, 'candidate')}${images}`;
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

function describeBudget(
  { slotSeconds, wallSeconds, target, patienceRounds }: BudgetSpec,
  { spec }: SweepRecord,
): string {
  const { metric, goal } = spec.objective;
  const bound = metric === 'val_accuracy' ? ` with confidence ${target?.confidence}` : '';
  return [
    ...(slotSeconds === null ? [] : [`${formatDuration(slotSeconds * 1_000)} of slots`]),
    ...(wallSeconds === null ? [] : [`${formatDuration(wallSeconds * 1_000)} of wall time`]),
    ...(target === null
      ? []
      : [`until ${metric} is at ${goal === 'minimize' ? 'most' : 'least'} ${target.value}${bound}`]),
    ...(patienceRounds === undefined ? [] : [`until ${countOf(patienceRounds, 'round')} bring no better run`]),
  ].join(', ');
}
