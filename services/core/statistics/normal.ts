/** Terms that suffice for double precision on both sides of the border. */
const TERMS = 100;
const BORDER = 2;

/** Returns the probability that a standard normal number exceeds `z`, with a relative error below 1e-13. */
export function normalUpperTail(z: number): number {
  if (z < 0) return 1 - normalUpperTail(-z);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  return z < BORDER ? 0.5 - density * centralSeries(z) : density * millsRatio(z);
}

/** The series z + z³/3 + z⁵/15 + … (Marsaglia 2004, https://doi.org/10.18637/jss.v011.i04). */
function centralSeries(z: number): number {
  let [sum, term] = [z, z];
  for (let odd = 3; odd < 2 * TERMS && term > sum * Number.EPSILON; odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return sum;
}

/** Laplace's continued fraction 1/(z + 1/(z + 2/(z + 3/…))), from its tail. */
function millsRatio(z: number): number {
  let fraction = z;
  for (let term = TERMS; term >= 1; term--) fraction = z + term / fraction;
  return 1 / fraction;
}

/**
 * Returns the quantile of the standard normal distribution, by bisection.
 *
 * @param probability above 0 and below 1.
 */
export function normalQuantile(probability: number): number {
  let [low, high] = [-40, 40];
  // Halving 80 sixty times leaves 7e-17.
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (normalUpperTail(middle) > 1 - probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
