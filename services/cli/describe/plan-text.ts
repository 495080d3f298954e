import { findDefinition, SEED_PARAMETERS } from '../../core/search-space/parameter-definitions.ts';
import type { Parameters } from '../../core/sweep/sweep-spec.ts';
import type { SweepForecastRecord } from '../../core/records/forecast.ts';
import type { QuantileRange, SearchForecastRecord, SweepPlanRecord } from '../../core/records/plan.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatBytes, formatDuration, formatIndexes, formatParameters, formatValue } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import { placeOfRung } from './rung-text.ts';
import { formatTook } from './took.ts';

type PlannedTask = SweepPlanRecord['tasks'][number];

/** Maximum number of runs to list, unless all are asked for. */
const LISTED_RUNS = 40;
/** Maximum number of tasks of one kind to list under a parent; the rest is summed up. */
const MOST_SIBLINGS = 8;

const STAGE_WORDS = {
  INDEX: 'index',
  PROBE: 'probe',
  FEATURES: 'features',
  HEAD: 'heads',
  FINE_TUNE: 'fine-tune',
  EVALUATE: 'evaluate',
} as const;

/** Origin of the numbers of images, as far as the plan itself does not record it. */
export interface CountNote {
  /** Reason for the assumed numbers, or `null`. */
  readonly whyAssumed: string | null;
  /** false: the client's count was stopped and extrapolated. */
  readonly isComplete: boolean;
}

/**
 * Returns a plan: its runs, its tasks as a tree, and its expected cost.
 *
 * @param isVerbose lists all runs, and all common parameters instead of those that differ from the defaults.
 */
export function describePlan(plan: SweepPlanRecord, counts: CountNote, isVerbose: boolean): string {
  const varied = [...new Set(plan.runs.flatMap(({ variedNames }) => variedNames))];
  const sharesHeads = plan.runs.some(({ runIndex, headRunIndex }) => runIndex !== headRunIndex);
  const reuses = plan.runs.some(({ reusedRunId }) => reusedRunId !== null);
  const listed = isVerbose ? plan.runs : plan.runs.slice(0, LISTED_RUNS);
  const left = plan.runs.length - listed.length;
  const runs = renderTable(
    [
      { title: 'run', align: 'right' },
      ...varied.map((title) => ({ title })),
      ...(sharesHeads ? [{ title: 'head' }] : []),
      ...(reuses ? [{ title: 'result' }] : []),
    ],
    listed.map((run) => [
      String(run.runIndex),
      ...varied.map((name) => (Object.hasOwn(run.parameters, name) ? formatValue(run.parameters[name]) : '')),
      ...(sharesHeads ? [run.headRunIndex === run.runIndex ? 'own' : `of run ${run.headRunIndex}`] : []),
      ...(reuses ? [run.reusedRunId === null ? 'trained' : `of ${run.reusedRunId}`] : []),
    ]),
  );
  const common = plan.runs[0];
  const shared = common === undefined ? [] : Object.keys(common.parameters).filter((name) => !varied.includes(name));
  return [
    `${countOf(plan.runs.length, 'run')}${plan.duplicateCount === 0 ? '' : `, ${countOf(plan.duplicateCount, 'duplicate')} left out`}`,
    ...plan.notes,
    runs,
    ...(left === 0 ? [] : [`… and ${countOf(left, 'more run')} (--verbose)`]),
    '',
    ...(common === undefined ? [] : [describeCommon(common.parameters, shared, isVerbose)]),
    '',
    `${countOf(plan.tasks.length, 'task')}${plan.cost.search === null ? '' : ', if every run trains to its end'}`,
    renderTree(plan.tasks),
    '',
    ...describeCost(plan),
    ...describeSearch(plan.cost),
    ...describeFinalists(plan.cost),
    describeCounts(plan, counts),
  ].join('\n');
}

/** Returns the tasks as a tree: each below the last task that it depends on, with its other dependencies in words. */
function renderTree(tasks: readonly PlannedTask[]): string {
  const parents = tasks.map(({ stage, dependencies }) => (stage === 'EVALUATE' ? null : parentOf(dependencies)));
  const lines: string[] = [];
  const visit = (position: number, lead: string, branch: string, indent: string): void => {
    const task = tasks[position];
    if (task === undefined) return;
    lines.push(`${lead}${branch}${describeTask(tasks, task, position, parents[position] ?? null)}`);
    const children = collapse(
      tasks,
      parents.flatMap((parent, child) => (parent === position ? [child] : [])),
    );
    for (const [index, shown] of children.entries()) {
      const isLast = index === children.length - 1;
      const next = `${lead}${indent}`;
      if (typeof shown === 'string') lines.push(`${next}${isLast ? '└─ ' : '├─ '}${shown}`);
      else visit(shown, next, isLast ? '└─ ' : '├─ ', isLast ? '   ' : '│  ');
    }
  };
  for (const [position, parent] of parents.entries()) if (parent === null) visit(position, '', '', '');
  return lines.join('\n');
}

function parentOf(dependencies: readonly number[]): number | null {
  return dependencies.length === 0 ? null : Math.max(...dependencies);
}

/** Returns the positions of the first tasks of each kind, and a line that sums up the rest. */
function collapse(tasks: readonly PlannedTask[], children: readonly number[]): readonly (number | string)[] {
  const stages = [...new Set(children.map((child) => tasks[child]?.stage))];
  return stages.flatMap((stage): (number | string)[] => {
    const siblings = children.filter((child) => tasks[child]?.stage === stage);
    if (siblings.length <= MOST_SIBLINGS) return siblings;
    const rest = siblings.slice(MOST_SIBLINGS).flatMap((child) => tasks[child] ?? []);
    const seconds = rest.reduce((sum, { expectedSeconds }) => sum + expectedSeconds, 0);
    const indexes = rest.flatMap(({ runIndexes }) => runIndexes);
    const like = `and ${rest.length} more like these: ${namedRuns(indexes)}, ${time(seconds)}`;
    return [...siblings.slice(0, MOST_SIBLINGS), like];
  });
}

function describeTask(
  tasks: readonly PlannedTask[],
  task: PlannedTask,
  position: number,
  parent: number | null,
): string {
  const word = task.stage === null ? '' : STAGE_WORDS[task.stage];
  const runs = task.runIndexes.length === 0 ? '' : `; ${namedRuns(task.runIndexes)}`;
  const others =
    task.stage === 'EVALUATE' ? [] : task.dependencies.filter((dependency) => dependency !== parent && dependency > 0);
  const isProbe = (dependency: number): boolean => tasks[dependency]?.stage === 'PROBE';
  const named = [...others.filter((one) => !isProbe(one)), ...(others.some(isProbe) ? ['the other probes'] : [])];
  const after = named.length === 0 ? '' : `; also after ${named.join(', ')}`;
  const stored = task.featureBytes === 0 ? '' : `, ${formatBytes(task.featureBytes)}`;
  return `${position} ${word}: ${task.description}${runs}${after} (${time(task.expectedSeconds)}${stored})`;
}

/** Returns `run 7` or `runs 2–4, 7`. */
function namedRuns(indexes: readonly number[]): string {
  return `run${indexes.length === 1 ? '' : 's'} ${formatIndexes(indexes)}`;
}

function describeCost({ cost, basePassCountAlone, basePassCountShared }: SweepPlanRecord): string[] {
  const ratio = cost.slotSeconds > 0 ? ` (${formatRatio(cost.slotSecondsAlone / cost.slotSeconds)})` : '';
  const parts = [
    `${countOf(cost.extractionCount, 'extraction')}${cost.extractionCount === 0 ? '' : `, ${formatBytes(cost.featureBytes)}`}`,
    `${countOf(cost.headCount, 'head')} in ${countOf(cost.headTaskCount, 'task')}`,
    ...(cost.fineTuneCount === 0
      ? []
      : [`${countOf(cost.fineTuneCount, 'fine-tuning')} in ${countOf(cost.fineTuneTaskCount, 'task')}`]),
  ];
  return [
    `Expected on ${countOf(cost.slotCount, 'slot')}${cost.search === null ? '' : ' without stopping'}: ${time(cost.wallSeconds)}, at most ${formatBytes(cost.memoryBytes)} of memory in a slot.`,
    `Slot time: ${time(cost.slotSeconds)}, against ${time(cost.slotSecondsAlone)} one by one${ratio}.`,
    `${parts.join('; ')}.`,
    `Passes over the images through a frozen base: ${basePassCountShared}, against ${basePassCountAlone} one by one.`,
  ];
}

/** Returns the expected cost with the sweep's stopping rule; nothing if each run trains to its end. */
function describeSearch({ search, slotSeconds }: SweepPlanRecord['cost']): string[] {
  if (search === null) return [];
  const { rule, policy, rungs, simulationCount, slotSeconds: slots, wallSeconds: wall } = search;
  const part = Math.round((100 * slots.median) / slotSeconds);
  return [
    '',
    `With ${rungs.length === 0 ? 'the budget' : rule}: ${policy}`,
    // Without a rule that can be forecast, only the budget ends runs.
    ...(rungs.length === 0 ? [] : [describeRungs(rungs)]),
    `Slot time: ${time(slots.low)} to ${time(slots.high)}, median ${time(slots.median)}, ${part} % of that without stopping.`,
    `Wall time: ${time(wall.low)} to ${time(wall.high)}, median ${time(wall.median)}.`,
    `The ranges hold 80 % of ${simulationCount} simulated sweeps.`,
  ];
}

/** Returns the cost of repeating finalists; nothing if no run is repeated. */
function describeFinalists({ finalists, search }: SweepPlanRecord['cost']): string[] {
  if (finalists === null) return [];
  const { runCount, seedCount, slotSeconds: slots, wallSeconds: wall } = finalists;
  const range = ({ low, high }: QuantileRange): string => `${time(low)} to ${time(high)}`;
  const where = search === null ? 'in addition' : 'which is included';
  return [
    `Finalists: at most ${countOf(runCount, 'run')}, each repeated with ${countOf(seedCount, 'further seed')}: ` +
      `${range(slots)} of slot time, ${range(wall)} of wall time, ${where}.`,
  ];
}

function describeRungs(rungs: SearchForecastRecord['rungs']): string {
  return renderTable(
    [{ title: 'rung', align: 'right' }, { title: 'after' }, { title: 'runs', align: 'right' }],
    rungs.map((rung) => [String(rung.rung), placeOfRung(rung), countRange(rung.entries)]),
  );
}

function countRange({ low, high }: QuantileRange): string {
  return low === high ? String(low) : `${low}–${high}`;
}

function describeCounts({ cost }: SweepPlanRecord, { whyAssumed, isComplete }: CountNote): string {
  const { trainImageCount, validationImageCount, testImageCount } = cost;
  const images = `${trainImageCount} training, ${validationImageCount} validation and ${countOf(testImageCount, 'test image')}`;
  const origin = cost.imageCountsAssumed
    ? `an assumption: this data set is not indexed yet${whyAssumed === null ? '' : `, and ${whyAssumed}`}`
    : !cost.imageCountsFromClient
      ? 'as indexed before'
      : isComplete
        ? 'counted by file names, since the data set is not indexed yet'
        : 'extrapolated from a part of the folder, since the data set is not indexed yet and is large';
  return `For ${images} (${origin}). Early stopping is not taken into account.`;
}

/** Returns the parameters that all runs have in common, without those at their defaults unless `isVerbose`. */
function describeCommon(parameters: Parameters, names: readonly string[], isVerbose: boolean): string {
  const shown = isVerbose ? names : names.filter((name) => !isDefault(name, parameters));
  const rest = names.length - shown.length;
  const others =
    rest === 0 ? '' : `${countOf(rest, 'other parameter')} at the default${rest === 1 ? '' : 's'} (--verbose)`;
  const listed = formatParameters(parameters, shown);
  return `All runs have: ${[listed, others].filter((part) => part !== '').join(', and ')}`;
}

/** Returns whether a value is the default; that of a stream's own seed is the run's seed. */
function isDefault(name: string, parameters: Parameters): boolean {
  const value = parameters[name];
  if (name !== 'seed' && SEED_PARAMETERS.includes(name) && value === parameters['seed']) return true;
  return findDefinition(name)?.default === value;
}

/** Returns expected and measured time and memory of a sweep's stages; empty until the sweep is planned. */
export function describeForecast(forecast: SweepForecastRecord, startTime: Date | null, endTime: Date | null): string {
  const stages = forecast.stages.filter(
    ({ forecastSeconds, measuredSeconds }) => forecastSeconds !== null || measuredSeconds > 0,
  );
  if (forecast.wallSeconds === null || stages.length === 0) return '';
  const table = renderTable(
    [
      { title: 'stage' },
      { title: 'tasks', align: 'right' },
      { title: 'runs', align: 'right' },
      { title: 'expected', align: 'right' },
      { title: 'took', align: 'right' },
      { title: 'ratio', align: 'right' },
      { title: 'lost', align: 'right' },
      { title: 'memory expected', align: 'right' },
      { title: 'held', align: 'right' },
    ],
    stages.map((stage) => [
      stage.stage ?? '',
      String(stage.taskCount),
      stage.runCount === 0 ? '' : String(stage.runCount),
      stage.forecastSeconds === null ? '–' : time(stage.forecastSeconds),
      `${time(stage.measuredSeconds)}${stage.ended ? '' : ' so far'}`,
      stage.forecastSeconds === null || !stage.ended ? '' : formatRatio(stage.measuredSeconds / stage.forecastSeconds),
      stage.lostSeconds === 0 ? '' : time(stage.lostSeconds),
      stage.forecastMemoryBytes === null ? '' : formatBytes(stage.forecastMemoryBytes),
      stage.measuredMemoryBytes === null ? '' : formatBytes(stage.measuredMemoryBytes),
    ]),
  );
  const took = formatTook({ startTime, endTime });
  const alone = forecast.aloneSeconds === null ? '' : `; ${time(forecast.aloneSeconds)} of slot time one by one`;
  return [
    table,
    `Whole sweep: expected ${time(forecast.wallSeconds)}${took === '' ? '' : `, took ${took}`}${alone}.`,
  ].join('\n');
}

function time(seconds: number): string {
  return formatDuration(seconds * 1_000);
}

function formatRatio(ratio: number): string {
  return `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)}×`;
}
