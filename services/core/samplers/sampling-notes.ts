import { overLimit } from '../search-space/model-limits.ts';
import { findDefinition } from '../search-space/parameter-definitions.ts';
import type { ParameterSpec, SweepSpec } from '../sweep/sweep-spec.ts';
import { basePoint, defaultsOutsideSpace } from './baseline.ts';
import { gridList, gridSize, listValues } from './domain.ts';
import { gridPoints } from './grid.ts';
import { drawsRuns, isAdaptive } from './samplers.ts';
import type { SampledRuns } from './sample-runs.ts';
import { countOf } from '../text/count-of.ts';

/** Maximum count of a grid with conditions, which is counted combination by combination. */
const MAX_COUNTED = 100_000;

/** Returns sentences on properties of the runs that a reader of the spec may not expect; empty without any. */
export function samplingNotes(spec: SweepSpec, sampled: SampledRuns): string[] {
  return [
    ...missingNote(spec, sampled),
    ...leftOutNote(spec, sampled),
    ...spec.parameters.flatMap((parameter) => valuesNotes(parameter, spec.strategy === 'grid')),
    ...baselineNote(spec),
  ];
}

function missingNote(spec: SweepSpec, { runs, missingCount }: SampledRuns): string[] {
  if (missingCount === 0) return [];
  const within = spec.constraints === undefined ? '' : ' within the constraints';
  const space = spec.variants.length === 0 ? 'the search space has' : 'the listed variants and the search space have';
  return [
    `${missingCount} of ${runs.length + missingCount} runs ${missingCount === 1 ? 'is' : 'are'} missing: ${space} ${runs.length} different ` +
      `${runs.length === 1 ? 'run' : 'runs'}${within}, and all of them are planned. Widen a parameter, or set max_runs: ${runs.length}.`,
  ];
}

/** Describes listed variants and combinations of a grid that `max_runs` cuts off. */
function leftOutNote(spec: SweepSpec, { runs, duplicateCount }: SampledRuns): string[] {
  if (spec.maxRuns === null || runs.length < spec.maxRuns) return [];
  const listed = spec.variants.length;
  const grid = spec.strategy === 'grid' ? countGrid(spec) : { count: 0, isExact: true };
  const usedCount = runs.length + duplicateCount;
  const leftCount = drawsRuns(spec) ? Math.max(0, listed - usedCount) : listed + grid.count - usedCount;
  if (leftCount <= 0) return [];
  const atLeast = grid.isExact ? '' : 'more than ';
  const sizes = spec.parameters.map(({ name, domain }) => `${name} ${gridSize(domain)}`).join(' × ');
  const parts = [
    ...(listed === 0 ? [] : [countOf(listed, 'listed variant')]),
    ...(spec.strategy === 'grid' && grid.count > 0
      ? [`a grid of ${atLeast}${countOf(grid.count, 'combination')} (${sizes})`]
      : []),
  ];
  return [
    `max_runs: ${spec.maxRuns} keeps the first ${runs.length === 1 ? 'run' : `${runs.length} runs`} of ${parts.join(' and ')}` +
      `${grid.count > 0 ? ', in which the last parameter changes fastest' : ''}; ${atLeast}${leftCount} ${leftCount === 1 ? 'is' : 'are'} left out.`,
  ];
}

function countGrid(spec: SweepSpec): { readonly count: number; readonly isExact: boolean } {
  if (spec.parameters.length === 0) return { count: spec.variants.length === 0 ? 1 : 0, isExact: true };
  const points = gridPoints(spec, basePoint(spec));
  let count = 0;
  while (count < MAX_COUNTED && points.next().done !== true) count++;
  return { count, isExact: points.next().done === true };
}

function valuesNotes({ name, domain }: ParameterSpec, isGrid: boolean): string[] {
  const definition = findDefinition(name);
  if (definition === null || domain.kind !== 'range') return [];
  const { min, max, step, gridPoints: points } = domain;
  if (isGrid && points !== null) {
    const { count } = gridList(domain, definition);
    if (count === points) return [];
    return [`${name}: grid_points: ${points} between ${min} and ${max} gives ${countOf(count, 'different value')}.`];
  }
  const steps = listValues(domain, definition);
  const last = steps.at(steps.count - 1);
  if (step === null || last === max) return [];
  return [`${name}: steps of ${step} from ${min} end at ${last}; max ${max} is not among the values.`];
}

function baselineNote(spec: SweepSpec): string[] {
  if (!drawsRuns(spec) || spec.variants.length > 0) return [];
  const base = basePoint(spec);
  const problem = overLimit(spec.constraints, null)(base);
  if (problem !== null) return [`There is no baseline: the defaults can't be trained, because ${problem}`];
  const outside = defaultsOutsideSpace(spec);
  const others = isAdaptive(spec) ? 'chosen by the search' : 'drawn';
  if (outside.size === 0) return [`Run 0 has the defaults, as the baseline; all others are ${others}.`];
  const named = [...outside].map(([name, value]) => `${name} ${value === undefined ? 'absent' : String(value)}`);
  return [
    `There is no baseline: the defaults lie outside the search space (${named.join(', ')}). ` +
      'List them with `variants: [{}]` to train and test them as run 0.',
  ];
}
