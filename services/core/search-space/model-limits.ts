import { BackboneError } from '../network/backbone-error.ts';
import { modelCost } from '../network/model-cost.ts';
import type { ModelCost } from '../network/model-cost.ts';
import type { RunConfig } from '../run-config.ts';
import type { Constraint, ConstraintName } from '../sweep/constraint.ts';
import type { Parameters } from '../sweep/sweep-spec.ts';
import { grouped } from '../text/quantity.ts';
import { compileRunConfig } from './compile.ts';

/** Parameters that the cost of a model depends on, besides the number of classes. */
export const COST_PARAMETERS = ['backbone', 'cut', 'image_size', 'head.pooling', 'head.units', 'head.layers'] as const;

const COST_OF: Readonly<Record<ConstraintName, (cost: ModelCost) => number>> = {
  model_bytes: ({ modelBytes }) => modelBytes,
  parameters: ({ parameterCount }) => parameterCount,
  flops: ({ flops }) => flops,
};

/** Two classes have the smallest output, one unit, so that the cost with them is a lower bound. */
const FEWEST_CLASSES = 2;

/**
 * Returns the cost of a run's model; null where the base does not have its cut.
 *
 * @param classCount null: not known yet; the cost is then a lower bound
 */
export function costOfModel(
  config: Pick<RunConfig, 'backbone' | 'imageSize' | 'head'>,
  classCount: number | null,
): ModelCost | null {
  try {
    return modelCost(config, classCount ?? FEWEST_CLASSES);
  } catch (error) {
    if (error instanceof BackboneError) return null;
    throw error;
  }
}

export function costFor(cost: ModelCost, name: ConstraintName): number {
  return COST_OF[name](cost);
}

/** Returns a sentence that names each bound which a model exceeds; null: it is within all. */
export function limitProblem(constraints: readonly Constraint[], cost: ModelCost): string | null {
  const over = constraints
    .map(({ name, atMost }) => ({ name, atMost, value: costFor(cost, name) }))
    .filter(({ atMost, value }) => value > atMost)
    .map(({ name, atMost, value }) => `${name} is ${grouped(value)} and may be at most ${grouped(atMost)}`);
  return over.length === 0 ? null : `its model is over the constraints: ${over.join('; ')}.`;
}

/**
 * Returns a function that finds what is wrong with the cost of a run's model: a sentence, or null where it is within the constraints.
 *
 * @param classCount null: not known yet; what is over a bound is so with any number of classes
 */
export function overLimit(
  constraints: readonly Constraint[] | undefined,
  classCount: number | null,
): (parameters: Parameters) => string | null {
  if (constraints === undefined || constraints.length === 0) return () => null;
  const known = new Map<string, string | null>();
  return (parameters) => {
    const key = JSON.stringify(COST_PARAMETERS.map((name) => parameters[name]));
    const found = known.get(key);
    if (found !== undefined) return found;
    const cost = costOfModel(compileRunConfig(parameters), classCount);
    const problem = cost === null ? null : limitProblem(constraints, cost);
    known.set(key, problem);
    return problem;
  };
}
