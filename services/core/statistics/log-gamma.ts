/** Argument from which five terms of Stirling's series have an error below 1e-15. */
const STIRLING_FROM = 12;

/** Returns ln Γ(x) by Stirling's series, with a relative error of about 1e-15. @param x above 0. */
export function logGamma(x: number): number {
  let [argument, shift] = [x, 0];
  for (; argument < STIRLING_FROM; argument++) shift += Math.log(argument);
  const square = 1 / (argument * argument);
  const series = (1 / 12 + square * (-1 / 360 + square * (1 / 1260 + square * (-1 / 1680 + square / 1188)))) / argument;
  return (argument - 0.5) * Math.log(argument) - argument + Math.log(2 * Math.PI) / 2 + series - shift;
}

/** Returns ln of the binomial coefficient n over k. */
export function logBinomial(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}
