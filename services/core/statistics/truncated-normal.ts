import { logNormalDensity, logNormalUpperTail, normalUpperTail } from './normal.ts';

const SQRT_3_OVER_PI = Math.sqrt(3) / Math.PI;
/** Newton's method converges in four to six steps; the bound only ends a step that changes nothing but the last bit. */
const MAX_STEPS = 100;
const RELATIVE_TOLERANCE = 1e-12;

/** Returns ln(Φ(b) − Φ(a)), exact in both tails. @param b at least `a`. */
export function logNormalMass(a: number, b: number): number {
  if (b <= 0) return logDifference(logNormalUpperTail(-b), logNormalUpperTail(-a));
  if (a > 0) return logNormalMass(-b, -a);
  return Math.log1p(-normalUpperTail(-a) - normalUpperTail(b));
}

/**
 * Returns the quantile of the standard normal distribution truncated to [a, b].
 *
 * @param probability in [0, 1].
 */
export function truncatedNormalQuantile(probability: number, a: number, b: number): number {
  if (probability <= 0) return a;
  if (probability >= 1) return b;
  const mass = logNormalMass(a, b);
  // The lower tail is exact for negative numbers; the upper half is its mirror image.
  const quantile =
    a < 0
      ? logNormalQuantile(logSum(logNormalUpperTail(-a), Math.log(probability) + mass))
      : -logNormalQuantile(logSum(logNormalUpperTail(b), Math.log1p(-probability) + mass));
  return Math.min(b, Math.max(a, quantile));
}

/** Returns x with ln Φ(x) = `logProbability`, by Newton's method. @param logProbability below 0. */
function logNormalQuantile(logProbability: number): number {
  const isFlipped = logProbability > -1e-2;
  const target = isFlipped ? Math.log(-Math.expm1(logProbability)) : logProbability;
  // The tail's leading term far out, the logistic distribution near the middle.
  let x =
    target < -5 ? -Math.sqrt(-2 * (target - logNormalDensity(0))) : -SQRT_3_OVER_PI * Math.log(Math.expm1(-target));
  for (let step = 0; step < MAX_STEPS; step++) {
    const logTail = logNormalUpperTail(-x);
    const change = (logTail - target) * Math.exp(logTail - logNormalDensity(x));
    x -= change;
    if (Math.abs(change) <= RELATIVE_TOLERANCE * Math.abs(x)) break;
  }
  return isFlipped ? -x : x;
}

function logDifference(larger: number, smaller: number): number {
  return larger + Math.log1p(-Math.exp(smaller - larger));
}

function logSum(p: number, q: number): number {
  const larger = Math.max(p, q);
  return larger === -Infinity ? -Infinity : larger + Math.log1p(Math.exp(Math.min(p, q) - larger));
}
