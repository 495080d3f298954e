import type { BudgetSpec } from './search-spec.ts';
import type { FieldViolation, Parameters, SweepSpec } from './sweep-spec.ts';

/** Work that a person adds to a sweep. Every value is the new one, so that a repetition changes nothing. */
export interface SweepExtension {
  /** New bound on the number of runs; null: unchanged. */
  readonly maxRuns: number | null;
  /** Variants to add. */
  readonly variants: readonly Parameters[];
  /** New number of epochs of each stage; null: unchanged. */
  readonly epochs: number | null;
  readonly fineTuneEpochs: number | null;
  /** New budget, which replaces the present one; null: unchanged. */
  readonly budget: BudgetSpec | null;
}

/** Strategies whose runs are drawn, so that a larger bound gives more of the same sequence. */
const DRAWN: readonly string[] = ['random', 'sobol'];

/**
 * Returns the spec of an extended sweep: its runs are those of before and more. Runs keep their parameters, so more epochs are runs of
 * their own, which start from the same heads where only their fine-tuning is longer. The budget is no part of it: that of a spec is the
 * first one.
 */
export function extendSpec(spec: SweepSpec, extension: SweepExtension): SweepSpec {
  const { maxRuns, variants, epochs, fineTuneEpochs } = extension;
  return {
    ...spec,
    ...(maxRuns !== null && { maxRuns }),
    variants: [...spec.variants, ...variants],
    base: {
      ...spec.base,
      ...(epochs !== null && { epochs }),
      ...(fineTuneEpochs !== null && { 'fine_tune.epochs': fineTuneEpochs }),
    },
  };
}

/** Returns what an extension can't change of this sweep, each with the field of the request. */
export function extensionViolations(spec: SweepSpec, extension: SweepExtension): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const { maxRuns, epochs, fineTuneEpochs } = extension;
  if (maxRuns !== null) {
    if (spec.maxRuns === null) {
      const description = DRAWN.includes(spec.strategy)
        ? `has no bound to raise; received ${maxRuns}.`
        : `bounds no runs of this sweep: all ${spec.strategy} points are in it. Add variants; received ${maxRuns}.`;
      violations.push({ field: 'max_runs', description });
    } else if (maxRuns < spec.maxRuns) {
      const description = `must be at least ${spec.maxRuns}, the present bound; received ${maxRuns}. Stop runs with StopRun.`;
      violations.push({ field: 'max_runs', description });
    }
  }
  for (const [field, name, value] of [
    ['epochs', 'epochs', epochs],
    ['fine_tune_epochs', 'fine_tune.epochs', fineTuneEpochs],
  ] as const) {
    if (value === null) continue;
    if (spec.parameters.some((parameter) => parameter.name === name)) {
      const description = `is varied by this sweep, so no one number can be raised; add variants with ${name}. Received ${value}.`;
      violations.push({ field, description });
      continue;
    }
    const present = spec.base[name];
    if (typeof present === 'number' && value < present) {
      const description = `must be at least ${present}, the present number; received ${value}.`;
      violations.push({ field, description });
    }
  }
  return violations;
}
