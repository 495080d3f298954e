/** One dimension of a world, in the words of both sides. */
export type WorldDimension = (
  | { readonly kind: 'real'; readonly low: number; readonly high: number }
  | { readonly kind: 'steps'; readonly low: number; readonly high: number; readonly step: number }
  | { readonly kind: 'choice'; readonly count: number }
) & {
  readonly name: string;
  /** The dimension exists where another one, a choice, has one of these places. */
  readonly when?: { readonly name: string; readonly anyOf: readonly number[] };
};

/** Numbers by name; those of dimensions that do not exist are absent. Choices are places. */
export type WorldPoint = Readonly<Record<string, number>>;

/** A function that a sampler minimises. */
export interface SamplerWorld {
  readonly name: string;
  readonly dimensions: readonly WorldDimension[];
  /** Value as measured. @param u number in [0, 1) that selects the noise. */
  readonly observe: (point: WorldPoint, u: number) => number;
  /** Value without noise. */
  readonly truth: (point: WorldPoint) => number;
  readonly optimum: number;
  /** Regrets are divided by it: 1, or the distance from the mean of the space to the optimum. */
  readonly unit: number;
}

/**
 * Returns the regret after each number of evaluations: true value of the point with the best observation, minus the optimum, by the
 * world's unit.
 */
export function regretsOf(world: SamplerWorld, points: readonly WorldPoint[], observed: readonly number[]): number[] {
  let [best, truth] = [Infinity, Infinity];
  return points.map((point, place) => {
    const value = observed[place] ?? Infinity;
    if (value < best) [best, truth] = [value, world.truth(point)];
    return (truth - world.optimum) / world.unit;
  });
}
