/** Returns Park and Miller's generator of numbers above 0 and below 1: exact in double precision, so that Python draws the same. */
export function createDraws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
