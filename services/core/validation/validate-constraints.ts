import { InvalidRequestError } from '../errors.ts';
import type { ModelCost } from '../network/model-cost.ts';
import { basePoint } from '../samplers/baseline.ts';
import { cornerPoints } from '../samplers/corner-points.ts';
import { compileRunConfig } from '../search-space/compile.ts';
import { COST_PARAMETERS, costFor, costOfModel, limitProblem } from '../search-space/model-limits.ts';
import { CONSTRAINT_NAMES } from '../sweep/constraint.ts';
import type { Constraint } from '../sweep/constraint.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { grouped } from '../text/quantity.ts';
import { show } from '../text/show.ts';
import type { ViolationList } from './violations.ts';

/** Checks the bounds on models, each by itself. */
export function validateConstraints({ constraints }: SweepSpec, found: ViolationList): void {
  if (constraints === undefined) return;
  if (constraints.length === 0) {
    found.add('constraints', `sets no bound. Give ${CONSTRAINT_NAMES.join(', ')}, or leave the section out.`);
  }
  constraints.forEach(({ name, atMost }, index) => {
    if (!CONSTRAINT_NAMES.includes(name)) {
      const known = CONSTRAINT_NAMES.join(', ');
      const hint = didYouMean(name, CONSTRAINT_NAMES);
      found.add(`constraints[${index}].name`, `must be one of ${known}; received ${show(name)}.${hint}`);
      return;
    }
    if (constraints.findIndex((other) => other.name === name) < index) {
      found.add(`constraints[${index}].name`, `is bounded twice: ${name}. Keep one of the bounds.`);
    }
    if (!Number.isSafeInteger(atMost) || atMost < 1) {
      const example = name === 'model_bytes' ? '20MB' : '4M';
      found.add(fieldOf(name), `must be an integer above 0, for example ${example}; received ${show(atMost)}.`);
    }
  });
}

/**
 * Refuses constraints that leave no run, and names the smallest model. Models that the number of classes makes too large become
 * INFEASIBLE when the images are listed.
 *
 * @param spec valid otherwise
 */
export function validateFeasible(spec: SweepSpec, found: ViolationList): void {
  const { constraints = [] } = spec;
  if (constraints.length === 0) return;
  const corners = cornerPoints(spec);
  if (corners === null) return;
  const base = basePoint(spec);
  const points = [...spec.variants.map((variant) => ({ ...base, ...variant })), ...corners];
  const models = modelsOf(points);
  if (models.length === 0 || models.some(({ cost }) => limitProblem(constraints, cost) === null)) return;
  const alone = constraints.filter((constraint) =>
    models.every(({ cost }) => limitProblem([constraint], cost) !== null),
  );
  for (const { name, atMost } of alone) {
    const smallest = models.reduce((least, one) => (costFor(one.cost, name) < costFor(least.cost, name) ? one : least));
    found.add(
      fieldOf(name),
      `leaves no run: the smallest model of the search space has ${grouped(costFor(smallest.cost, name))} ` +
        `(${describe(smallest)}); received ${grouped(atMost)}. Raise the bound, or add a smaller backbone, cut or head.`,
    );
  }
  if (alone.length > 0) return;
  const names = constraints.map(({ name }) => name).join(' and ');
  found.add(
    'constraints',
    `leave no run: no model of the search space is within ${names} at once. Raise one of the bounds.`,
  );
}

/** Path of a bound as in a sweep file. */
function fieldOf(name: Constraint['name']): string {
  return `constraints.${name}.at_most`;
}

interface Model {
  readonly parameters: Parameters;
  readonly cost: ModelCost;
}

/** Returns the models that can be built, each with its lowest cost: that with two classes. */
function modelsOf(points: readonly Parameters[]): Model[] {
  return points.flatMap((parameters) => {
    try {
      const cost = costOfModel(compileRunConfig(parameters), null);
      return cost === null ? [] : [{ parameters, cost }];
    } catch (error) {
      // Values that contradict each other at a corner, such as images that are too small for a backbone.
      if (error instanceof InvalidRequestError) return [];
      throw error;
    }
  });
}

function describe({ parameters }: Model): string {
  const given = COST_PARAMETERS.filter((name) => Object.hasOwn(parameters, name) && parameters[name] !== '');
  return given.length === 0
    ? 'that of the defaults'
    : given.map((name) => `${name} ${String(parameters[name])}`).join(', ');
}
