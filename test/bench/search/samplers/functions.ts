import type { SamplerWorld, WorldDimension, WorldPoint } from './sampler-world.ts';

/** Branin's function on x in [−5, 10] and y in [0, 15]. */
function branin(x: number, y: number): number {
  const bend = y - (5.1 / (4 * Math.PI ** 2)) * x ** 2 + (5 / Math.PI) * x - 6;
  return bend ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
}
const BRANIN_OPTIMUM = 0.397887357729738;

const HARTMANN_WEIGHTS = [1, 1.2, 3, 3.2];
const HARTMANN_WIDTHS = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const HARTMANN_CENTRES = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];
const HARTMANN_OPTIMUM = -3.32236801141551;

/** Hartmann's function on [0, 1]⁶. */
function hartmann6(x: readonly number[]): number {
  return -HARTMANN_WEIGHTS.reduce((sum, weight, row) => {
    const distance = x.reduce((total, value, column) => {
      const centre = (HARTMANN_CENTRES[row]?.[column] ?? 0) / 10_000;
      return total + (HARTMANN_WIDTHS[row]?.[column] ?? 0) * (value - centre) ** 2;
    }, 0);
    return sum + weight * Math.exp(-distance);
  }, 0);
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const STEP_COUNT = 8;
/** Values of the choices, in no order, so that neighbours say nothing. */
const CHOICE_VALUES = [0.66, 0.05, 0.31, 0.95, 0.15];
/** Minimum over all combinations of steps and choices with a lattice of 41 × 41, refined by a pattern search to 1e-12. */
const MIXED_OPTIMUM = -3.30023805847986;

const real = (name: string, low: number, high: number): WorldDimension => ({ name, kind: 'real', low, high });
const choice = (name: string, count: number): WorldDimension => ({ name, kind: 'choice', count });
const steps = (name: string): WorldDimension => ({ name, kind: 'steps', low: 0, high: STEP_COUNT - 1, step: 1 });
const when = (dimension: WorldDimension, name: string, ...anyOf: readonly number[]): WorldDimension => {
  return { ...dimension, when: { name, anyOf } };
};

function withoutNoise(
  name: string,
  dimensions: readonly WorldDimension[],
  optimum: number,
  truth: (point: WorldPoint) => number,
): SamplerWorld {
  return { name, dimensions, truth, observe: truth, optimum, unit: 1 };
}

const BRANIN = withoutNoise('Branin', [real('x', -5, 10), real('y', 0, 15)], BRANIN_OPTIMUM, ({ x = 0, y = 0 }) =>
  branin(x, y),
);

const HARTMANN = withoutNoise(
  'Hartmann6',
  NAMES.map((name) => real(name, 0, 1)),
  HARTMANN_OPTIMUM,
  (point) => hartmann6(NAMES.map((name) => point[name] ?? 0)),
);

/** Hartmann's function with two dimensions of eight steps and two of five unordered values. */
const MIXED = withoutNoise(
  'Hartmann6 mixed',
  [
    real('a', 0, 1),
    real('b', 0, 1),
    steps('c'),
    steps('d'),
    choice('e', CHOICE_VALUES.length),
    choice('f', CHOICE_VALUES.length),
  ],
  MIXED_OPTIMUM,
  ({ a = 0, b = 0, c = 0, d = 0, e = 0, f = 0 }) =>
    hartmann6([a, b, c / (STEP_COUNT - 1), d / (STEP_COUNT - 1), CHOICE_VALUES[e] ?? 0, CHOICE_VALUES[f] ?? 0]),
);

/** Three branches that share x: Branin's function, a bent copy of it that is 2 worse, and a parabola of x alone that is 5 worse. */
const CONDITIONAL = withoutNoise(
  'conditional',
  [choice('branch', 3), real('x', -5, 10), when(real('y', 0, 15), 'branch', 0), when(real('z', 0, 1), 'branch', 1)],
  BRANIN_OPTIMUM,
  ({ branch = 0, x = 0, y = 0, z = 0 }) => {
    if (branch === 0) return branin(x, y);
    return branch === 1 ? branin(x, 15 * z ** 2) + 2 : (x - 2.5) ** 2 / 10 + 5;
  },
);

/** Three branches that share nothing, one of which branches again; the best one is the narrowest. */
const NESTED = withoutNoise(
  'nested',
  [
    choice('branch', 3),
    when(real('x', -5, 10), 'branch', 0),
    when(real('y', 0, 15), 'branch', 0),
    when(choice('leaf', 3), 'branch', 1),
    when(real('u', 0, 1), 'leaf', 0),
    when(real('v', 0, 1), 'leaf', 1, 2),
    when(real('w', 0, 1), 'branch', 2),
  ],
  BRANIN_OPTIMUM,
  ({ branch = 0, x = 0, y = 0, leaf = 0, u = 0, v = 0, w = 0 }) => {
    if (branch === 0) return branin(x, y);
    if (branch === 2) return 6 + 20 * (w - 0.3) ** 2;
    return leaf === 0 ? 4 + 30 * (u - 0.8) ** 2 : 3 + leaf + 40 * (v - 0.25) ** 2;
  },
);

/** Functions that a Gaussian process of Optuna can model. */
export const FLAT_FUNCTIONS: readonly SamplerWorld[] = [BRANIN, HARTMANN, MIXED];
/** Functions of which some dimensions exist beside others only. */
export const CONDITIONAL_FUNCTIONS: readonly SamplerWorld[] = [CONDITIONAL, NESTED];
