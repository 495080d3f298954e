import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { WeightsReference } from '../task.ts';

/**
 * Returns a spec without the backbones of which no trainer had any weights when the sweep was indexed. Runs on them can't be trained, so
 * that a model must not ask for them again and again.
 */
export function withKnownWeights(spec: SweepSpec, known: readonly WeightsReference[]): SweepSpec {
  const backbones = new Set<unknown>(known.map(({ backbone }) => backbone));
  const parameters = spec.parameters.map((parameter) => {
    const { name, domain } = parameter;
    if (name !== 'backbone' || domain.kind !== 'values') return parameter;
    const values = domain.values.filter((value) => backbones.has(value));
    // Where none is known, every run fails with what to put where.
    return values.length === 0 ? parameter : { ...parameter, domain: { ...domain, values } };
  });
  return { ...spec, parameters };
}
