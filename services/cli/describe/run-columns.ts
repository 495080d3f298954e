import type { RunRecord } from '../../core/records/run.ts';
import type { ParameterValue } from '../../core/sweep/sweep-spec.ts';
import { formatBytes, formatCount, formatMetric, formatTime, formatValue } from '../terminal/format.ts';
import type { ListColumn } from '../terminal/list.ts';
import { END_WORDS, endedEarly } from './end-words.ts';
import { formatTook, tookOf } from './took.ts';

/** Metrics with columns of their own, at the best epoch. */
const HAS_COLUMN: ReadonlySet<string> = new Set(['val_loss', 'val_accuracy']);
const RIGHT = { align: 'right' } as const;
/** Width to which long values of parameters, such as paths, are cut before columns are hidden. */
const MIN_TEXT = 8;

/** Ranks of the columns of runs: those with large numbers are hidden first in a narrow terminal. */
const RANK = {
  identity: 0,
  metric: 10,
  parameter: 20,
  trouble: 23,
  otherMetric: 25,
  state: 50,
  detail: 60,
  text: 70,
} as const;

/**
 * Returns the columns of runs, some of which are shown only if `--columns` names them.
 *
 * @param metric metric of the objective; null: unknown.
 */
export function runColumns(runs: readonly RunRecord[], metric: string | null): readonly ListColumn<RunRecord>[] {
  const rankOf = (name: string): number => (name === (metric ?? name) ? RANK.metric : RANK.otherMetric);
  const hasTrouble = runs.some(({ state }) => state !== 'SUCCEEDED');
  return [
    { name: 'run', title: 'run', ...RIGHT, rank: RANK.identity, cell: (run) => String(run.runIndex), key: runIndexOf },
    {
      name: 'state',
      title: 'state',
      rank: hasTrouble ? RANK.trouble : RANK.state,
      cell: ({ state }) => state,
    },
    metricColumn(
      'best',
      metric ?? 'best',
      RANK.metric - 1,
      ({ bestValue }) => bestValue,
      metric === null || HAS_COLUMN.has(metric),
    ),
    metricColumn('val_loss', 'val_loss', rankOf('val_loss'), ({ bestValLoss }) => bestValLoss),
    metricColumn('val_accuracy', 'val_acc', rankOf('val_accuracy'), ({ bestValAccuracy }) => bestValAccuracy),
    {
      name: 'best_epoch',
      title: 'best epoch',
      shortTitle: 'at epoch',
      rank: RANK.detail,
      cell: bestEpochOf,
      key: ({ bestStage, bestEpoch }) => (bestStage === 'FINE_TUNE' ? 1e6 : 0) + bestEpoch,
    },
    {
      name: 'score',
      title: 'mean',
      ...RIGHT,
      rank: RANK.metric + 1,
      cell: ({ score }) => (score === null ? '' : formatMetric(score)),
      key: ({ score }) => score,
      isExtra: runs.every(({ score }) => score === null),
    },
    {
      name: 'seeds',
      title: 'seeds',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ measurementCount }) => (measurementCount === 0 ? '' : String(measurementCount)),
      key: ({ measurementCount }) => measurementCount,
      isExtra: runs.every(({ score }) => score === null),
    },
    {
      name: 'repeats',
      title: 'repeats',
      ...RIGHT,
      rank: RANK.trouble,
      cell: (run) => originalOf(run, runs),
      isExtra: runs.every(({ repeatOfRunId }) => repeatOfRunId === null),
    },
    ...parameterColumns(runs),
    { name: 'ended_by', title: 'ended by', rank: RANK.trouble + 1, cell: endedBy, isExtra: !runs.some(endedEarly) },
    {
      name: 'rung',
      title: 'rung',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ rung }) => (rung === null ? '' : String(rung)),
      key: ({ rung }) => rung,
      isExtra: runs.every(({ rung }) => rung === null),
    },
    {
      name: 'round',
      title: 'round',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ round }) => (round === null ? '' : String(round)),
      key: ({ round }) => round,
      isExtra: true,
    },
    { name: 'sampler', title: 'sampler', rank: RANK.detail, cell: ({ sampler }) => sampler, isExtra: true },
    { name: 'tags', title: 'tags', rank: RANK.text, minWidth: MIN_TEXT, cell: tagsOf, isExtra: noneHas(runs, tagsOf) },
    { name: 'notes', title: 'notes', rank: RANK.text + 1, minWidth: MIN_TEXT, cell: notesOf, isExtra: true },
    {
      name: 'stage',
      title: 'stage',
      rank: RANK.detail,
      cell: ({ stage }) => stage ?? '',
      isExtra: true,
    },
    { name: 'epoch', title: 'epoch', ...RIGHT, rank: RANK.detail, cell: epochOf, key: epochCountOf, isExtra: true },
    metricColumn('last', 'last', RANK.otherMetric, ({ lastValue }) => lastValue, true),
    {
      name: 'attempts',
      title: 'attempts',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ attemptCount }) => String(attemptCount),
      key: ({ attemptCount }) => attemptCount,
      isExtra: true,
    },
    {
      name: 'took',
      title: 'took',
      ...RIGHT,
      rank: RANK.detail,
      cell: (run) => formatTook(run),
      key: tookOf,
      isExtra: true,
    },
    {
      name: 'memory',
      title: 'memory',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ peakMemoryBytes }) => (peakMemoryBytes === null ? '' : formatBytes(peakMemoryBytes)),
      key: ({ peakMemoryBytes }) => peakMemoryBytes,
      isExtra: true,
    },
    {
      name: 'model_bytes',
      title: 'model',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ modelBytes }) => (modelBytes === null ? '' : formatBytes(modelBytes)),
      key: ({ modelBytes }) => modelBytes,
      isExtra: true,
    },
    {
      name: 'parameters',
      title: 'weights',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ parameterCount }) => (parameterCount === null ? '' : formatCount(parameterCount)),
      key: ({ parameterCount }) => parameterCount,
      isExtra: true,
    },
    {
      name: 'flops',
      title: 'flops',
      ...RIGHT,
      rank: RANK.detail,
      cell: ({ flops }) => (flops === null ? '' : formatCount(flops)),
      key: ({ flops }) => flops,
      isExtra: true,
    },
    {
      name: 'started',
      title: 'started',
      rank: RANK.detail,
      cell: ({ startTime }) => formatTime(startTime),
      key: ({ startTime }) => startTime?.getTime() ?? null,
      isExtra: true,
    },
    { name: 'reason', title: 'reason', rank: RANK.text, minWidth: 12, cell: reasonOf, isExtra: true },
    { name: 'id', title: 'id', rank: RANK.text, cell: ({ runId }) => runId, isExtra: true },
  ];
}

/** Columns of runs in the order of their numbers, where their progress matters more than their results. */
export function listedRunColumns(runs: readonly RunRecord[], metric: string | null): readonly ListColumn<RunRecord>[] {
  const isDefault = new Set(['stage', 'epoch', 'attempts', 'id']);
  const columns = runColumns(runs, metric).map((column) =>
    isDefault.has(column.name) ? { ...column, isExtra: false } : column,
  );
  const first = ['run', 'state', 'stage', 'epoch'];
  const leading = first.flatMap((name) => columns.find((column) => column.name === name) ?? []);
  return [...leading, ...columns.filter(({ name }) => !first.includes(name))];
}

/** Columns for the parameters: those that differ between runs, and all others if `--columns` names them. */
function parameterColumns(runs: readonly RunRecord[]): readonly ListColumn<RunRecord>[] {
  const varied = [...new Set(runs.flatMap(({ variedNames }) => variedNames))];
  const others = [...new Set(runs.flatMap(({ parameters }) => Object.keys(parameters)))].filter(
    (name) => !varied.includes(name),
  );
  const shortNames = varied.map(lastPart);
  const all = [...varied, ...others];
  return all.map((name, index) => {
    const isUnique = shortNames.filter((short) => short === lastPart(name)).length === 1;
    const values = runs.map(({ parameters }) => parameters[name]);
    const isNumeric = values.every((value) => value === undefined || typeof value === 'number');
    return {
      name,
      title: name,
      ...(isUnique && varied.includes(name) ? { shortTitle: lastPart(name) } : {}),
      ...(isNumeric ? RIGHT : {}),
      rank: RANK.parameter + Math.min(2 * index, 18),
      ...(isNumeric ? {} : { minWidth: MIN_TEXT }),
      cell: ({ parameters }) => (Object.hasOwn(parameters, name) ? formatValue(parameters[name]) : ''),
      key: ({ parameters }) => keyOf(parameters[name]),
      isExtra: index >= varied.length,
    };
  });
}

/** Returns the telling part of a parameter's name: `units` of `head.units`, `fine_tune` of `fine_tune.enabled`. */
function lastPart(name: string): string {
  const telling = name.replace(/\.(enabled|name)$/, '');
  return telling.slice(telling.lastIndexOf('.') + 1);
}

function keyOf(value: ParameterValue | undefined): number | string | null {
  if (value === undefined) return null;
  return typeof value === 'number' ? value : String(value);
}

function metricColumn(
  name: string,
  title: string,
  rank: number,
  key: (run: RunRecord) => number | null,
  isExtra = false,
): ListColumn<RunRecord> {
  return { name, title, ...RIGHT, rank, cell: (run) => formatMetric(key(run)), key, isExtra };
}

function noneHas(runs: readonly RunRecord[], textOf: (run: RunRecord) => string): boolean {
  return runs.every((run) => textOf(run) === '');
}

/** Returns the number of the run of which a run is another seed. */
function originalOf({ repeatOfRunId }: RunRecord, runs: readonly RunRecord[]): string {
  if (repeatOfRunId === null) return '';
  const original = runs.find(({ runId }) => runId === repeatOfRunId);
  return original === undefined ? repeatOfRunId : `run ${original.runIndex}`;
}

function tagsOf({ tags }: RunRecord): string {
  return tags.join(' ');
}

function notesOf({ notes }: RunRecord): string {
  return notes.replaceAll('\n', ' ');
}

function reasonOf({ stateReason }: RunRecord): string {
  return stateReason.split('\n')[0] ?? '';
}

function endedBy({ endCause }: RunRecord): string {
  return endCause === null ? '' : END_WORDS[endCause];
}

function runIndexOf({ runIndex }: RunRecord): number {
  return runIndex;
}

function bestEpochOf({ bestValue, bestStage, bestEpoch }: RunRecord): string {
  return bestValue === null ? '' : `${bestStage ?? ''} ${bestEpoch}`;
}

function epochCountOf({ epochCount }: RunRecord): number {
  return epochCount;
}

/** Returns the completed and the given epochs of the run's stage: `3/20`. */
export function epochOf({ epochCount, epochLimit }: RunRecord): string {
  return epochLimit === 0 ? '' : `${epochCount}/${epochLimit}`;
}
