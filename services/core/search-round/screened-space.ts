import { compileRunConfig } from '../search-space/compile.ts';
import { findDefinition } from '../search-space/parameter-definitions.ts';
import { normalizeValue } from '../search-space/parameter-value.ts';
import { targetKey, targetOf } from '../stopping/screen/candidate.ts';
import type { ScreenTarget } from '../stopping/screen/candidate.ts';
import type { ParameterSpec, Parameters, ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';

/** A candidate that a screen has kept or left out. */
export interface ScreenedTarget extends ScreenTarget {
  readonly isKept: boolean;
}

/** Values of a candidate by the parameter that has them. */
const VALUES: Readonly<Record<string, (target: ScreenTarget) => ParameterValue>> = {
  backbone: ({ backbone }) => backbone,
  weights: ({ weights }) => weights,
  cut: ({ cut }) => cut ?? '',
  image_size: ({ imageSize }) => imageSize,
};

/** Returns a spec without the listed values that only candidates have which a screen has left out: models search what is left. */
export function withoutScreened(spec: SweepSpec, screened: readonly ScreenedTarget[]): SweepSpec {
  if (screened.every(({ isKept }) => isKept)) return spec;
  return { ...spec, parameters: spec.parameters.map((parameter) => restricted(parameter, screened)) };
}

function restricted(parameter: ParameterSpec, screened: readonly ScreenedTarget[]): ParameterSpec {
  const { name, domain } = parameter;
  const valueOf = VALUES[name];
  const definition = findDefinition(name);
  if (valueOf === undefined || definition === null || domain.kind !== 'values') return parameter;
  const values = domain.values.filter((value) => {
    const own = screened.filter((target) => valueOf(target) === normalizeValue(definition, value));
    return own.length === 0 || own.some(({ isKept }) => isKept);
  });
  return values.length === 0 ? parameter : { ...parameter, domain: { ...domain, values } };
}

/** Returns whether a screen has left out the candidate of a point: each of its values alone may be that of one that was kept. */
export function isScreenedOut(point: Parameters, screened: readonly ScreenedTarget[]): boolean {
  if (screened.every(({ isKept }) => isKept)) return false;
  const key = targetKey(targetOf(compileRunConfig(point)));
  return screened.some((target) => !target.isKept && targetKey(target) === key);
}
