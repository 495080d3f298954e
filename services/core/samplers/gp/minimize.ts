/** A function with its gradient. */
export type Differentiable = (x: Float64Array) => { readonly value: number; readonly gradient: Float64Array };

export interface MinimizeOptions {
  /** Ends when no component of the projected gradient is larger. */
  readonly gradientTolerance: number;
  readonly maxSteps: number;
  /** Bounds of each component; absent: none. */
  readonly lower?: Float64Array;
  readonly upper?: Float64Array;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
}

/** Pairs of steps and gradient changes that approximate the curvature. */
const MEMORY = 10;
/** Part of the decrease that the gradient promises (Armijo). */
const SUFFICIENT = 1e-4;
const MAX_HALVINGS = 30;

/**
 * Minimises by L-BFGS with projection onto bounds (Nocedal and Wright 2006, algorithms 7.4 and 7.5): components at a bound whose
 * gradient points outside are kept there. Deterministic. Never returns a larger value than that of the start.
 *
 * @param start within the bounds; its value must be finite.
 */
export function minimize(f: Differentiable, start: Float64Array, options: MinimizeOptions): Minimum {
  let x = project(start.slice(), options);
  let { value, gradient } = f(x);
  let pairs: CurvaturePair[] = [];
  for (let step = 0; step < options.maxSteps; step++) {
    const free = freeComponents(x, gradient, options);
    if (largest(free) <= options.gradientTolerance) break;
    let direction = descent(pairs, free);
    let slope = dot(direction, free);
    if (!(slope < 0)) {
      // The curvature is useless: start again along the gradient.
      pairs = [];
      direction = free.map((component) => -component);
      slope = -dot(free, free);
    }
    const first = pairs.length === 0 ? Math.min(1, 1 / largest(free)) : 1;
    const next = lineSearch(f, { x, value, direction, slope }, first, options);
    if (next === null) {
      if (pairs.length === 0) break;
      pairs = [];
      continue;
    }
    pairs = remember(pairs, subtract(next.x, x), subtract(next.gradient, gradient));
    ({ x, value, gradient } = next);
  }
  return { x, value };
}

interface CurvaturePair {
  readonly change: Float64Array;
  readonly gradientChange: Float64Array;
  readonly inverse: number;
}

function remember(pairs: CurvaturePair[], change: Float64Array, gradientChange: Float64Array): CurvaturePair[] {
  const product = dot(change, gradientChange);
  // A pair of negative curvature would make the approximation indefinite.
  if (!(product > 1e-10 * dot(gradientChange, gradientChange))) return pairs;
  return [...pairs.slice(1 - MEMORY), { change, gradientChange, inverse: 1 / product }];
}

/** Returns −H g by the two loops of L-BFGS; 0 in components that are kept at a bound. */
function descent(pairs: readonly CurvaturePair[], free: Float64Array): Float64Array {
  const direction = free.map((component) => -component);
  const factors = pairs.map(() => 0);
  for (let place = pairs.length - 1; place >= 0; place--) {
    const pair = pairs[place];
    if (pair === undefined) continue;
    factors[place] = pair.inverse * dot(pair.change, direction);
    add(direction, pair.gradientChange, -(factors[place] ?? 0));
  }
  const latest = pairs.at(-1);
  if (latest !== undefined) {
    const scale = 1 / (latest.inverse * dot(latest.gradientChange, latest.gradientChange));
    direction.forEach((component, place) => (direction[place] = component * scale));
  }
  pairs.forEach((pair, place) => {
    add(direction, pair.change, (factors[place] ?? 0) - pair.inverse * dot(pair.gradientChange, direction));
  });
  return direction.map((component, place) => (free[place] === 0 ? 0 : component));
}

interface SearchLine {
  readonly x: Float64Array;
  readonly value: number;
  readonly direction: Float64Array;
  readonly slope: number;
}

function lineSearch(
  f: Differentiable,
  line: SearchLine,
  first: number,
  options: MinimizeOptions,
): (Minimum & { readonly gradient: Float64Array }) | null {
  let length = first;
  for (let halving = 0; halving < MAX_HALVINGS; halving++, length /= 2) {
    const x = project(
      line.x.map((component, place) => component + length * (line.direction[place] ?? 0)),
      options,
    );
    const { value, gradient } = f(x);
    if (Number.isFinite(value) && value < line.value + SUFFICIENT * length * line.slope) return { x, value, gradient };
  }
  return null;
}

/** Returns the gradient with 0 where a component is at a bound that it would leave. */
function freeComponents(x: Float64Array, gradient: Float64Array, { lower, upper }: MinimizeOptions): Float64Array {
  return gradient.map((component, place) => {
    const at = x[place] ?? 0;
    const isKept =
      (component > 0 && at <= (lower?.[place] ?? -Infinity)) || (component < 0 && at >= (upper?.[place] ?? Infinity));
    return isKept ? 0 : component;
  });
}

function project(x: Float64Array, { lower, upper }: MinimizeOptions): Float64Array {
  return x.map((component, place) =>
    Math.min(upper?.[place] ?? Infinity, Math.max(lower?.[place] ?? -Infinity, component)),
  );
}

function largest(x: Float64Array): number {
  return x.reduce((most, component) => Math.max(most, Math.abs(component)), 0);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, component, place) => sum + component * (b[place] ?? 0), 0);
}

function add(target: Float64Array, other: Float64Array, factor: number): void {
  other.forEach((component, place) => (target[place] = (target[place] ?? 0) + factor * component));
}

function subtract(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((component, place) => component - (b[place] ?? 0));
}
