import { MAX_RUNS } from '../samplers/sample-runs.ts';
import { drawsRuns, isAdaptive } from '../samplers/samplers.ts';
import { findDefinition } from '../search-space/parameter-definitions.ts';
import { newVariants } from '../sweep/extend-spec.ts';
import type { SweepExtension } from '../sweep/extend-spec.ts';
import type { FieldViolation, ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { countOf } from '../text/count-of.ts';

const EPOCHS = [
  ['epochs', 'epochs', 'epochs'],
  ['fine_tune_epochs', 'fine_tune.epochs', 'fineTuneEpochs'],
] as const;

/** Returns what an extension can't change of this sweep, each with the field of the request. */
export function extensionViolations(spec: SweepSpec, extension: SweepExtension): FieldViolation[] {
  return [...boundViolations(spec, extension), ...EPOCHS.flatMap((names) => epochViolations(spec, extension, names))];
}

function boundViolations(spec: SweepSpec, extension: SweepExtension): FieldViolation[] {
  const { maxRuns } = extension;
  if (maxRuns === null) return [];
  const violation = (description: string): FieldViolation[] => [{ field: 'max_runs', description }];
  if (spec.maxRuns === null) {
    return violation(
      drawsRuns(spec)
        ? `has no bound to raise; received ${maxRuns}.`
        : `bounds no runs of this sweep: all ${spec.strategy} points are in it. Add variants; received ${maxRuns}.`,
    );
  }
  if (maxRuns < spec.maxRuns) {
    const least = `must be at least ${spec.maxRuns}, the present bound`;
    return violation(`${least}; received ${maxRuns}. Stop runs with StopRun.`);
  }
  const added = newVariants(spec, extension).length;
  if (maxRuns >= spec.maxRuns + added) return [];
  const places = `${spec.maxRuns} runs and ${countOf(added, 'added variant')}`;
  return violation(`must be at least ${spec.maxRuns + added}, for ${places}; received ${maxRuns}.`);
}

function epochViolations(
  spec: SweepSpec,
  extension: SweepExtension,
  [field, name, key]: (typeof EPOCHS)[number],
): FieldViolation[] {
  const value = extension[key];
  if (value === null) return [];
  if (isAdaptive(spec)) {
    const why = `strategy ${spec.strategy} compares runs of equal length, and those so far have another one`;
    return [{ field, description: `can't change in this sweep: ${why}. Submit another sweep; received ${value}.` }];
  }
  if (spec.parameters.some((parameter) => parameter.name === name)) {
    const description = `is varied by this sweep, so no one number can be raised; add variants with ${name}. Received ${value}.`;
    return [{ field, description }];
  }
  const present = presentEpochs(spec, name);
  if (typeof present !== 'number' || value >= present) return [];
  return [{ field, description: `must be at least ${present}, the present number; received ${value}.` }];
}

function presentEpochs({ base }: SweepSpec, name: string): ParameterValue | null | undefined {
  return base[name] ?? findDefinition(name)?.default;
}

/**
 * Returns why an extension that asks for runs gives none, although they are not in the sweep already; and why it gives too many.
 *
 * @param presentCount runs of the sweep; @param addedCount runs that follow from the extended spec
 */
export function addedRunViolations(
  spec: SweepSpec,
  extension: SweepExtension,
  presentCount: number,
  addedCount: number,
): FieldViolation[] {
  const { maxRuns, variants } = extension;
  if (addedCount > 0) {
    const count = presentCount + addedCount;
    if (count <= MAX_RUNS) return [];
    const field = variants.length > 0 ? 'variants' : maxRuns !== null ? 'max_runs' : 'epochs';
    const description = `makes ${count} runs of the sweep's ${presentCount}, and a sweep has at most ${MAX_RUNS}. Submit another sweep.`;
    return [{ field, description }];
  }
  const isRaised = maxRuns !== null && spec.maxRuns !== null && maxRuns > spec.maxRuns;
  const exhausted = `adds no run: the search space has no other point; received ${maxRuns ?? 0}. Add variants.`;
  return [
    ...(isRaised && !isAdaptive(spec) && newVariants(spec, extension).length === 0
      ? [{ field: 'max_runs', description: exhausted }]
      : []),
    ...EPOCHS.flatMap(([field, name, key]) => {
      const value = extension[key];
      if (value === null || value === presentEpochs(spec, name)) return [];
      const why = `no run takes ${name} from the sweep: variants set their own, or do without`;
      return [{ field, description: `adds no run: ${why}. Add variants with ${name}; received ${value}.` }];
    }),
  ];
}
