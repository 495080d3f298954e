import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CONDITIONAL_FUNCTIONS } from '../../bench/search/samplers/functions.ts';
import { searchWithModel } from '../../bench/search/samplers/model-search.ts';
import { regretsOf } from '../../bench/search/samplers/sampler-world.ts';

/** Printed by test/bench/search/samplers/record-group/main.ts: Optuna's TPE with `multivariate` and `group`. */
const recorded = JSON.parse(readFileSync(new URL('support/group-regrets.json', import.meta.url), 'utf8')) as {
  readonly optuna: string;
  readonly seeds: number;
  readonly marks: readonly number[];
  /** Mean regret at each mark. */
  readonly worlds: Readonly<Record<string, readonly number[]>>;
};

/** Marks without the first one, at which two points have been suggested and ten were drawn. */
const [, ...MARKS] = recorded.marks;

test.each(CONDITIONAL_FUNCTIONS)(
  `conditional dimensions stay in the model: TPE is no worse than Optuna ${recorded.optuna} with groups on $name`,
  (world) => {
    const searches = Array.from({ length: recorded.seeds }, (_, seed) => {
      const trace = searchWithModel(world, { model: 'tpe', batch: 1, count: Math.max(...MARKS), seed });
      return { ...trace, regrets: regretsOf(world, trace.points, trace.observed) };
    });
    for (const [place, mark] of MARKS.entries()) {
      const mean = searches.reduce((sum, { regrets }) => sum + (regrets[mark - 1] ?? Number.NaN), 0) / searches.length;
      expect(mean, `after ${mark} evaluations`).toBeLessThanOrEqual(
        recorded.worlds[world.name]?.[place + 1] ?? Number.NaN,
      );
    }
    // Every suggested point has exactly the dimensions that exist in it.
    for (const point of searches.flatMap(({ points }) => points)) {
      const names = world.dimensions.filter(
        ({ when }) => when === undefined || when.anyOf.some((value) => point[when.name] === value),
      );
      expect(Object.keys(point).sort()).toEqual(names.map(({ name }) => name).sort());
    }
  },
);
