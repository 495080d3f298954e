import { logGamma } from './log-gamma.ts';

const MAX_TERMS = 10_000;

/** Returns the probability that a number of Student's t distribution exceeds `t`. @param freedom degrees of freedom, above 0. */
export function studentUpperTail(t: number, freedom: number): number {
  if (t < 0) return 1 - studentUpperTail(-t, freedom);
  if (t === Infinity) return 0;
  const square = t * t;
  return incompleteBeta(freedom / (freedom + square), square / (freedom + square), freedom / 2, 0.5) / 2;
}

/** Regularised incomplete beta function I_x(a, b). @param y 1 − x, which the caller knows without cancellation. */
function incompleteBeta(x: number, y: number, a: number, b: number): number {
  if (x === 0 || y === 0) return x === 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(y, x, b, a);
  const logFactor = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(y);
  return Math.exp(logFactor) / (a * betaFraction(x, a, b));
}

/** The continued fraction of the incomplete beta function by Lentz's method (Press et al. 2007, Numerical Recipes, 6.4). */
function betaFraction(x: number, a: number, b: number): number {
  let [c, d, value] = [1, 0, 1];
  for (let term = 1; term < MAX_TERMS; term++) {
    const m = Math.floor(term / 2);
    const coefficient =
      term % 2 === 1
        ? (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
        : (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + coefficient * d);
    c = 1 + coefficient / c;
    value *= c * d;
    if (Math.abs(c * d - 1) < Number.EPSILON) break;
  }
  return value;
}
