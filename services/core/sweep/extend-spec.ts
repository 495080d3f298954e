import type { BudgetChange } from './change-budget.ts';
import type { Parameters, SweepSpec } from './sweep-spec.ts';

/** Work that a person adds to a sweep. Every value is the new one, so that a repetition changes nothing. */
export interface SweepExtension {
  /** New bound on the number of runs; null: unchanged, except that the added variants have a place. */
  readonly maxRuns: number | null;
  /** Variants to add. */
  readonly variants: readonly Parameters[];
  /** New number of epochs of each stage; null: unchanged. */
  readonly epochs: number | null;
  readonly fineTuneEpochs: number | null;
  /** New bounds; null: unchanged. */
  readonly budget: BudgetChange | null;
}

/** Parameters that an extension changes for all runs that it adds. */
export const EXTENDED_NAMES = ['epochs', 'fine_tune.epochs'] as const;

/**
 * Returns the spec of an extended sweep: its runs are those of before and more. Runs keep their parameters, so more epochs are runs of
 * their own. The budget is no part of it: that of a spec is the first one.
 */
export function extendSpec(spec: SweepSpec, extension: SweepExtension): SweepSpec {
  const { maxRuns, epochs, fineTuneEpochs } = extension;
  const variants = newVariants(spec, extension).map(({ parameters }) => parameters);
  return {
    ...spec,
    maxRuns: maxRuns ?? (spec.maxRuns === null ? null : spec.maxRuns + variants.length),
    variants: [...spec.variants, ...variants],
    base: {
      ...spec.base,
      ...(epochs !== null && { epochs }),
      ...(fineTuneEpochs !== null && { 'fine_tune.epochs': fineTuneEpochs }),
    },
  };
}

/** Returns the variants that a spec does not list yet, each once, with their places in the request. */
export function newVariants(
  spec: SweepSpec,
  { variants }: Pick<SweepExtension, 'variants'>,
): { readonly index: number; readonly parameters: Parameters }[] {
  const known = new Set(spec.variants.map(keyOf));
  return variants.flatMap((parameters, index) => {
    const key = keyOf(parameters);
    if (known.has(key)) return [];
    known.add(key);
    return [{ index, parameters }];
  });
}

function keyOf(parameters: Parameters): string {
  return JSON.stringify(Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
