/** Formats a number with at most `digits` significant digits, without trailing zeros. */
export function significant(value: number, digits = 4): string {
  return Number(value.toPrecision(digits)).toString();
}
