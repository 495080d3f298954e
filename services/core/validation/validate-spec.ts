import { InvalidRequestError } from '../errors.ts';
import { MAX_RUNS, sampleRuns } from '../samplers/sample-runs.ts';
import { gridPoints } from '../samplers/grid.ts';
import { gridSize } from '../samplers/domain.ts';
import { drawsRuns, isAdaptive, isStrategy, SAMPLERS, STRATEGIES } from '../samplers/samplers.ts';
import { GOAL_OF_METRIC, OBJECTIVE_GOALS, OBJECTIVE_METRICS } from '../objective.ts';
import { TEST_POLICIES } from '../sweep/sweep-spec.ts';
import { displayNameProblem } from '../annotations.ts';
import type { FieldViolation, SweepSpec } from '../sweep/sweep-spec.ts';
import { BACKBONE_NAMES, minimumImageSize, MINIMUM_IMAGE_SIZE } from '../network/backbones.ts';
import { WARM_UPS } from '../search-space/canonical.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { show } from '../text/show.ts';
import { mayBeUnknownLayer, validateLayers } from './validate-layers.ts';
import { validateConstraints, validateFeasible } from './validate-constraints.ts';
import { validateDataset } from './validate-dataset.ts';
import { validateFinalists } from './validate-finalists.ts';
import { validateParameters } from './validate-parameters.ts';
import { validateWeights } from './validate-weights.ts';
import { validateSearch } from './validate-search.ts';
import { validateMlflow } from './validate-mlflow.ts';
import { memberPath, ViolationList } from './violations.ts';

/**
 * Returns all mistakes of a spec at once, each with its path as in the YAML file; empty if there are none. External
 * names (strategy, objective) are checked although the types promise them.
 */
export function validateSweepSpec(spec: SweepSpec): FieldViolation[] {
  const found = new ViolationList();
  validateDisplayName(spec.displayName, found);
  validateDataset(spec.dataset, found);
  validateChoice('strategy', spec.strategy, STRATEGIES, found);
  validateParameters(spec, isStrategy(spec.strategy), found);
  validateWeights(spec, found);
  validateMaxRuns(spec, found);
  if (isStrategy(spec.strategy)) SAMPLERS[spec.strategy].validate(spec, (...mistake) => found.add(...mistake));
  validateSeed(spec.seed, found);
  validateObjective(spec, found);
  validateChoice('test_policy', spec.testPolicy, TEST_POLICIES, found);
  if (spec.mlflow !== undefined) validateMlflow(spec.mlflow, found);
  validateSearch(spec, found);
  validateConstraints(spec, found);
  validateFinalists(spec, found);
  // Counting a grid requires a valid space.
  if (found.violations.length === 0) validateGridSize(spec, found);
  if (found.violations.length === 0) validateContradictions(spec, found);
  if (found.violations.length === 0) validateFeasible(spec, found);
  return found.violations;
}

function validateDisplayName(name: string, found: ViolationList): void {
  const problem = displayNameProblem(name);
  if (problem !== null) found.add('display_name', problem);
}

function validateChoice(field: string, value: string, choices: readonly string[], found: ViolationList): boolean {
  if (choices.includes(value)) return true;
  found.add(field, `must be one of ${choices.join(', ')}; received ${show(value)}.${didYouMean(value, choices)}`);
  return false;
}

function validateMaxRuns(spec: SweepSpec, found: ViolationList): void {
  const { maxRuns } = spec;
  if (maxRuns === null) {
    const isBounded = isAdaptive(spec) && (spec.budget?.slotSeconds ?? spec.budget?.wallSeconds ?? null) !== null;
    if (drawsRuns(spec) && !isBounded) {
      const budget = isAdaptive(spec) ? ', or bound the time in budget' : '';
      found.add(
        'max_runs',
        `is missing: strategy ${spec.strategy} draws without end. Give the number of runs, for example 16${budget}.`,
      );
    }
    return;
  }
  if (!Number.isInteger(maxRuns) || maxRuns < 1 || maxRuns > MAX_RUNS) {
    found.add('max_runs', `must be an integer from 1 to ${MAX_RUNS}; received ${show(maxRuns)}.`);
  }
}

function validateSeed(seed: number, found: ViolationList): void {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    found.add('seed', `must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}; received ${show(seed)}.`);
  }
}

function validateObjective({ objective }: SweepSpec, found: ViolationList): void {
  const metricKnown = validateChoice('objective.metric', objective.metric, OBJECTIVE_METRICS, found);
  const goalKnown = validateChoice('objective.goal', objective.goal, OBJECTIVE_GOALS, found);
  if (!metricKnown || !goalKnown) return;
  const natural = GOAL_OF_METRIC[objective.metric];
  if (objective.goal !== natural) {
    found.add(
      'objective.goal',
      `would look for the worst run: ${objective.metric} is to ${natural}; received ${objective.goal}. Leave the goal out.`,
    );
  }
}

function validateGridSize(spec: SweepSpec, found: ViolationList): void {
  const count = spec.variants.length + (spec.strategy === 'grid' ? countGrid(spec) : 0);
  if (count <= MAX_RUNS || spec.maxRuns !== null) return;
  const sizes = spec.parameters.map(({ name, domain }) => `${name} ${gridSize(domain)}`).join(' × ');
  found.add(
    'parameters',
    `make more than ${MAX_RUNS} runs (${sizes}), the most a sweep can have. Take fewer values, give max_runs, or use ` +
      'strategy: random or sobol.',
  );
}

/** Counts up to one more than is allowed: conditions make a grid smaller than the product of its sizes. */
function countGrid(spec: SweepSpec): number {
  const product = spec.parameters.reduce((size, { domain }) => size * gridSize(domain), 1);
  if (product <= MAX_RUNS) return product;
  const points = gridPoints(spec, spec.base);
  let count = 0;
  while (count <= MAX_RUNS && points.next().done !== true) count++;
  return count;
}

const LARGEST_MINIMUM_IMAGE_SIZE = Math.max(...BACKBONE_NAMES.map(minimumImageSize));
/**
 * Parameters with values that are valid alone and invalid with others: no head phase, batches without a second image,
 * images too small for their backbone, a warm-up longer than its phase.
 */
const DOUBTFUL: Readonly<Record<string, (value: unknown) => boolean>> = {
  epochs: (value) => value === 0,
  batch_size: (value) => value === 1,
  image_size: (value) => typeof value === 'number' && value < LARGEST_MINIMUM_IMAGE_SIZE,
};

/** Samples the runs only if a cross-parameter conflict is possible; sampling every large spec would be too slow. */
function validateContradictions(spec: SweepSpec, found: ViolationList): void {
  const needsLargeImages = (name: unknown): boolean => minimumImageSize(String(name)) > MINIMUM_IMAGE_SIZE;
  const namesLayers = mayBeUnknownLayer(spec);
  const mayContradict =
    namesLayers ||
    placeOf(spec, 'epochs', DOUBTFUL['epochs']) !== null ||
    placeOf(spec, 'batch_size', DOUBTFUL['batch_size']) !== null ||
    placeOf(spec, 'backbone', needsLargeImages) !== null ||
    WARM_UPS.some(([name]) => placeOf(spec, name) !== null);
  if (!mayContradict) return;
  try {
    const { runs } = sampleRuns(spec);
    if (namesLayers) validateLayers(spec, runs, found);
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    for (const { field, description } of error.violations) {
      found.add(placeOf(spec, field, DOUBTFUL[field]) ?? field, description);
    }
  }
}

/** Returns where a parameter gets such a value; null if nowhere. */
function placeOf(
  { base, parameters, variants }: SweepSpec,
  parameter: string,
  isMeant: (value: unknown) => boolean = () => true,
): string | null {
  const dimension = parameters.findIndex(({ name, domain }) => {
    if (name !== parameter) return false;
    return domain.kind === 'values' ? domain.values.some(isMeant) : isMeant(domain.min);
  });
  if (dimension >= 0) return `parameters[${dimension}]`;
  if (Object.hasOwn(base, parameter) && isMeant(base[parameter])) return memberPath('base', parameter);
  const variant = variants.findIndex((one) => Object.hasOwn(one, parameter) && isMeant(one[parameter]));
  return variant < 0 ? null : memberPath(`variants[${variant}]`, parameter);
}
