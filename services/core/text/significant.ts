/** Formats a number with at most so many significant digits, without trailing zeros. */
export function significant(value: number, digits = 4): string {
  return Number(value.toPrecision(digits)).toString();
}
