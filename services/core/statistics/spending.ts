/**
 * Returns the level of each of several planned tests on the same images so that the chance of any false rejection is at most
 * `alpha`: equal spending, which is Bonferroni's bound. Milestones are few, so it costs little; a sequential test that may stop at
 * any epoch needs fresh images, and these are the same at each epoch.
 *
 * @param tests number of planned tests, at least 1.
 */
export function alphaOfEach(alpha: number, tests: number): number {
  return alpha / tests;
}
