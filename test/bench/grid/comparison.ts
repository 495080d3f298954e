import { renderTable } from '../../../services/cli/terminal/table.ts';
import { discordance } from '../../../services/core/statistics/evidence.ts';
import type { Evidence } from '../../../services/core/statistics/evidence.ts';
import type { PlannedSeconds, Range, TrainedSweep } from './trained-sweep.ts';

/** A search of the grid, with what was expected of it. */
export interface Searched {
  readonly name: string;
  /** Plan of the cluster that had measured nothing; null: not made. */
  readonly before: PlannedSeconds | null;
  /** Plan when the whole grid had been measured. */
  readonly planned: PlannedSeconds;
  readonly trained: TrainedSweep;
  /** Part of the exhaustive slot-seconds that it may spend; null: no bound. */
  readonly budgetPart: number | null;
}

export interface Comparison {
  /** The plan of the grid when nothing had been measured. */
  readonly before: PlannedSeconds;
  readonly exhaustive: TrainedSweep;
  readonly searches: readonly Searched[];
}

/** A difference of accuracies on the same images, with its standard error. */
interface Difference {
  readonly mean: number;
  readonly standardError: number;
}

/** Renders the comparison of an exhaustive grid with searches of it. `isMet` is false when a target is missed. */
export function renderComparison({ before, exhaustive, searches }: Comparison): {
  readonly text: string;
  readonly isMet: boolean;
} {
  const sides = [{ name: 'exhaustive', trained: exhaustive }, ...searches];
  const costs = renderTable(
    [
      { title: 'sweep' },
      { title: 'slot-seconds', align: 'right' },
      { title: 'of the grid', align: 'right' },
      { title: 'wall', align: 'right' },
      { title: 'fine-tuned to the end', align: 'right' },
      { title: 'expected before, 10 / 50 / 90 %', align: 'right' },
      { title: 'expected after', align: 'right' },
    ],
    sides.map(({ name, trained }) => {
      const search = searches.find((other) => other.name === name);
      const seconds = withFeatures(trained, exhaustive);
      return [
        name,
        seconds.toFixed(1),
        percent(seconds / exhaustive.slotSeconds),
        `${trained.wallSeconds.toFixed(0)} s`,
        String(trained.fineTunedCount),
        search === undefined ? before.withoutStopping.toFixed(0) : rangeText(search.before?.search ?? null),
        search === undefined ? '' : rangeText(search.planned.search),
      ];
    }),
  );
  const winners = renderTable(
    [
      { title: 'sweep' },
      { title: 'winner' },
      { title: 'validation', align: 'right' },
      { title: 'minus exhaustive', align: 'right' },
      { title: 'test (95 % interval)', align: 'right' },
    ],
    sides.map(({ name, trained: { best } }) => [
      name,
      `run ${best.runIndex}`,
      percent(best.value),
      differenceText(differenceOf(best.evidence, exhaustive.best.evidence)),
      best.test === null
        ? ''
        : `${percent(best.test.accuracy)} (${percent(best.test.low)} to ${percent(best.test.high)})`,
    ]),
  );
  const targets = searches.flatMap((search) => targetsOf(search, exhaustive));
  const verdicts = renderTable(
    [{ title: 'target' }, { title: 'measured', align: 'right' }, { title: '' }],
    targets.map(({ name, measured, isMet }) => [name, measured, isMet ? 'met' : 'MISSED']),
  );
  const bests = new Map(sides.map(({ trained: { best } }) => [best.runIndex, best.parameters.join(' ')]));
  const notes = [
    [...bests].map(([run, parameters]) => `run ${run}: ${parameters}`).join('\n'),
    `Slot-seconds are those of all attempts, with indexing; the evaluation is only in the forecasts and in their targets. Features stay stored, so a search is charged those of the ` +
      `exhaustive sweep (${exhaustive.featureSeconds.toFixed(1)}); forecasts after it are without them.`,
    'minus exhaustive: in points, on the same validation images, ± one standard error of the paired difference.',
  ];
  return { text: [costs, winners, verdicts, ...notes].join('\n\n'), isMet: targets.every(({ isMet }) => isMet) };
}

interface Target {
  readonly name: string;
  readonly measured: string;
  readonly isMet: boolean;
}

function targetsOf({ name, planned: { search }, trained, budgetPart }: Searched, exhaustive: TrainedSweep): Target[] {
  const difference = differenceOf(trained.best.evidence, exhaustive.best.evidence);
  const part = withFeatures(trained, exhaustive) / exhaustive.slotSeconds;
  const targets = [
    {
      name: `${name}: its winner is within one standard error of the exhaustive one`,
      measured: differenceText(difference),
      isMet: -difference.mean <= difference.standardError,
    },
    ...(budgetPart === null
      ? []
      : [
          {
            name: `${name}: at most ${percent(budgetPart)} of the slot-seconds`,
            measured: percent(part),
            isMet: part <= budgetPart,
          },
        ]),
  ];
  if (search === null) return targets;
  const slotSeconds = trained.slotSeconds + trained.evaluationSeconds;
  return [
    ...targets,
    {
      name: `${name}: slot-seconds within the range expected after the exhaustive sweep`,
      measured: `${slotSeconds.toFixed(1)} of ${rangeText(search)}`,
      isMet: search.low <= slotSeconds && slotSeconds <= search.high,
    },
  ];
}

/** Returns the slot-seconds of a sweep as if it had computed the features that were stored when it began. */
function withFeatures({ slotSeconds, featureSeconds }: TrainedSweep, exhaustive: TrainedSweep): number {
  return slotSeconds + Math.max(0, exhaustive.featureSeconds - featureSeconds);
}

/** Returns how much better the first run is on the same images. */
function differenceOf(first: Evidence, second: Evidence): Difference {
  const { firstOnly, secondOnly } = discordance(first, second);
  const more = firstOnly - secondOnly;
  const variance = firstOnly + secondOnly - more ** 2 / first.count;
  return { mean: more / first.count, standardError: Math.sqrt(variance) / first.count };
}

function differenceText({ mean, standardError }: Difference): string {
  return `${(100 * mean).toFixed(1)} ± ${(100 * standardError).toFixed(1)}`;
}

function rangeText(range: Range | null): string {
  return range === null ? '' : [range.low, range.median, range.high].map((value) => value.toFixed(0)).join(' / ');
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
