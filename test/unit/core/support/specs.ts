import type {
  Parameters,
  ParameterSpec,
  ParameterValue,
  SweepSpec,
} from '../../../../services/core/sweep/sweep-spec.ts';

/** A spec without mistakes: a grid without dimensions. */
export const PLAIN_SPEC: SweepSpec = {
  displayName: 'test',
  dataset: { path: '/data/pets', splitFractions: null, allowDuplicates: false, skipBadFiles: false },
  base: {},
  parameters: [],
  strategy: 'grid',
  variants: [],
  maxRuns: null,
  seed: 42,
  objective: { metric: 'val_loss', goal: 'minimize' },
  testPolicy: 'winner',
};

export function values(name: string, ...list: readonly ParameterValue[]): ParameterSpec {
  return { name, domain: { kind: 'values', values: list }, conditions: [] };
}

export interface RangeOptions {
  readonly scale?: 'linear' | 'log';
  readonly gridPoints?: number;
  readonly step?: number;
}

export function range(name: string, min: number, max: number, options: RangeOptions = {}): ParameterSpec {
  const { scale = 'linear', gridPoints = null, step = null } = options;
  return { name, domain: { kind: 'range', min, max, scale, gridPoints, step }, conditions: [] };
}

export function when(parameter: ParameterSpec, name: string, ...list: readonly ParameterValue[]): ParameterSpec {
  return { ...parameter, conditions: [...parameter.conditions, { name, values: list }] };
}

/** The named parameters of each run; absent ones are left out. */
export function pick(runs: readonly { readonly parameters: Parameters }[], ...names: readonly string[]): Parameters[] {
  return runs.map(({ parameters }) =>
    Object.fromEntries(names.flatMap((name) => (name in parameters ? [[name, parameters[name] ?? '']] : []))),
  );
}
