import { digestOf } from '../digest.ts';
import { findDefinition } from '../search-space/parameter-definitions.ts';
import type { ParameterSpec, SweepSpec } from '../sweep/sweep-spec.ts';
import type { WeightsReference } from '../task.ts';
import { basePoint } from './baseline.ts';
import { effectiveValue } from './dimensions.ts';
import { gridPoints } from './grid.ts';

/** Points of a range on which another dimension depends. */
const RANGE_POINTS = 16;
/** Bound on the combinations; there are far fewer backbones and weights. */
const MAX_POINTS = 20_000;

/** Returns the weights that the points of a search space name, each once: those of runs that are not asked for yet are among them. */
export function weightsOfSpace(spec: SweepSpec): WeightsReference[] {
  const parameters = relevant(spec.parameters);
  const found = new Map<string, WeightsReference>();
  let count = 0;
  for (const point of gridPoints({ ...spec, parameters, variants: [] }, basePoint(spec))) {
    const backbone = String(effectiveValue(point, 'backbone') ?? findDefinition('backbone')?.default);
    const weights = String(effectiveValue(point, 'weights') ?? findDefinition('weights')?.default);
    found.set(digestOf([backbone, weights]), { backbone, weights });
    count += 1;
    if (count === MAX_POINTS) break;
  }
  return [...found.values()];
}

/** Returns the dimensions `backbone` and `weights`, with those on which they depend. */
function relevant(all: readonly ParameterSpec[]): ParameterSpec[] {
  const names = new Set(['backbone', 'weights']);
  for (let size = 0; size !== names.size;) {
    size = names.size;
    for (const { name, conditions } of all) if (names.has(name)) for (const one of conditions) names.add(one.name);
  }
  return all
    .filter(({ name }) => names.has(name))
    .map((parameter) => {
      const { domain } = parameter;
      return domain.kind === 'values' ? parameter : { ...parameter, domain: { ...domain, gridPoints: RANGE_POINTS } };
    });
}
