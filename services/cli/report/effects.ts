import { groupByKey } from '../../core/group-by-key.ts';
import { canBeBest } from '../../core/ranking.ts';
import { explainedRanks } from '../../core/statistics/explained-ranks.ts';
import { medianInterval } from '../../core/statistics/median-interval.ts';
import type { MedianInterval } from '../../core/statistics/median-interval.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { ParameterValue, SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { linear, logarithmic } from './axis.ts';
import type { Axis } from './axis.ts';
import { valueLabels } from './labels.ts';

/** Label of the runs that a parameter does not exist in, for example `fine_tune.learning_rate` without fine-tuning. */
export const NOT_SET = 'not set';

/** One value of a parameter, or one bin of its values. */
export interface Level {
  readonly label: string;
  /** Null for a bin and for `not set`. */
  readonly value: ParameterValue | null;
  /** Ends of a bin; null for a single value and for `not set`. */
  readonly bin: { readonly low: number; readonly high: number } | null;
  readonly isSet: boolean;
  /** Number of all runs with it. */
  readonly runCount: number;
  /** Its runs that count: those that can win. */
  readonly runs: readonly RunRecord[];
  /** Null where no run counts. */
  readonly centre: MedianInterval | null;
  readonly mean: number | null;
}

/** Results of the runs by the values of one parameter. Other parameters differ among them as well. */
export interface Effect {
  readonly name: string;
  readonly levels: readonly Level[];
  /** Axis of a parameter that is binned; null where each value is a level. */
  readonly axis: Axis | null;
  /** Part of the ranks' variance between the levels, 0 to 1 (`explainedRanks`); null: too few runs. */
  readonly explained: number | null;
}

/** Number of different values up to which each is a level. */
const MOST_LEVELS = 8;
const MOST_BINS = 5;
/** Runs for which a median has an interval of 95 %. */
const LEAST_BIN = 6;
/** Ratio of the bounds from which the axis of a parameter without a declared scale is logarithmic. */
const LOG_RATIO = 50;

/** Returns the effects of all varied parameters, those that explain most of the ranks first. */
export function effectsOf(spec: SweepSpec, runs: readonly RunRecord[]): readonly Effect[] {
  const names = [...new Set(runs.flatMap(({ variedNames }) => variedNames))];
  return names
    .map((name) => effectOf(spec, runs, name))
    .filter(({ levels }) => levels.length > 1)
    .sort((a, b) => (b.explained ?? -1) - (a.explained ?? -1));
}

function effectOf(spec: SweepSpec, runs: readonly RunRecord[], name: string): Effect {
  const having = runs.filter(({ parameters }) => Object.hasOwn(parameters, name));
  const values = [...new Set(having.flatMap(({ parameters }) => parameters[name] ?? []))];
  const numbers = values.filter((value) => typeof value === 'number').sort((a, b) => a - b);
  const isBinned = numbers.length === values.length && numbers.length > MOST_LEVELS;
  const levels = isBinned ? binsOf(having, name) : valuesOf(having, name, values);
  const without = runs.filter(({ parameters }) => !Object.hasOwn(parameters, name));
  const all =
    without.length === 0
      ? levels
      : [...levels, levelOf({ label: NOT_SET, value: null, bin: null, isSet: false }, without)];
  return {
    name,
    levels: all,
    axis: isBinned ? axisOf(spec, name, numbers) : null,
    explained: explainedRanks(all.map((level) => level.runs.map(({ bestValue }) => bestValue ?? Number.NaN))),
  };
}

function valuesOf(runs: readonly RunRecord[], name: string, values: readonly ParameterValue[]): readonly Level[] {
  const byValue = groupByKey(runs, ({ parameters }) => parameters[name]);
  const sorted = [...values].sort(compareValues);
  const labels = valueLabels(sorted);
  return sorted.map((value, index) =>
    levelOf({ label: labels[index] ?? '', value, bin: null, isSet: true }, byValue.get(value) ?? []),
  );
}

/** Orders numbers by size, switches off before on, and names in the order of their first runs. */
function compareValues(a: ParameterValue, b: ParameterValue): number {
  return typeof a === 'string' || typeof b === 'string' ? 0 : Number(a) - Number(b);
}

/** Divides runs into bins of about equal numbers of runs that count; equal values are in one bin. */
function binsOf(runs: readonly RunRecord[], name: string): readonly Level[] {
  const numberOf = ({ parameters }: RunRecord): number => Number(parameters[name]);
  const sorted = [...runs].sort((a, b) => numberOf(a) - numberOf(b));
  const usable = sorted.filter(canBeBest);
  const binCount = Math.max(2, Math.min(MOST_BINS, Math.floor(usable.length / LEAST_BIN)));
  const bounds = Array.from({ length: binCount - 1 }, (_, index) => {
    const last = usable[Math.ceil(((index + 1) * usable.length) / binCount) - 1];
    return last === undefined ? Number.NEGATIVE_INFINITY : numberOf(last);
  });
  const bins = groupByKey(sorted, (run) => bounds.filter((bound) => numberOf(run) > bound).length);
  const ranges = [...bins.values()].map((members) => {
    const numbers = members.map(numberOf);
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    return { members, low, high };
  });
  const ends = [...new Set(ranges.flatMap(({ low, high }) => [low, high]))];
  const labels = new Map(valueLabels(ends).map((label, index) => [ends[index], label]));
  return ranges.map(({ members, low, high }) => {
    const label = [...new Set([low, high])].map((end) => labels.get(end)).join(' to ');
    return levelOf({ label, value: null, bin: { low, high }, isSet: true }, members);
  });
}

function levelOf(key: Pick<Level, 'label' | 'value' | 'bin' | 'isSet'>, runs: readonly RunRecord[]): Level {
  const counted = runs.filter(canBeBest);
  const values = counted.map(({ bestValue }) => bestValue ?? Number.NaN);
  return {
    ...key,
    runCount: runs.length,
    runs: counted,
    centre: values.length === 0 ? null : medianInterval(values),
    mean: values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length,
  };
}

/** Returns the axis of a number: as the search space declares its scale, else logarithmic for a wide range of positive values. */
function axisOf(spec: SweepSpec, name: string, sorted: readonly number[]): Axis {
  const [low = 0, high = 1] = [sorted[0], sorted.at(-1)];
  const domain = spec.parameters.find((one) => one.name === name)?.domain;
  const isLog = domain?.kind === 'range' ? domain.scale === 'log' : low > 0 && high / low >= LOG_RATIO;
  return isLog && low > 0 ? logarithmic(low, high) : linear(low, high);
}
