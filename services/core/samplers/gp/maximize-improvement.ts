import type { RandomStream } from '../../rng/stream.ts';
import { minimize } from './minimize.ts';
import type { Posterior } from './posterior.ts';
import type { Candidate, UnitSpace } from './unit-space.ts';

/** Local searches (Optuna: `n_local_search`). */
const START_COUNT = 10;
/** Those of them that are beside the best run, one for each of the allowed values. */
const MOST_BESIDE = 3;
const MAX_ROUNDS = 100;
/** Values of a dimension that are all tried; of longer lists, neighbours at doubling distances. */
const MOST_TRIED = 16;
const ASCENT = { gradientTolerance: 1e-2, maxSteps: 200 };

/** A candidate with ln of its expected improvement. */
export interface Improvement {
  readonly candidate: Candidate;
  readonly value: number;
}

/**
 * Returns candidates of large expected improvement, the largest first: from the best of the rated ones, from others drawn by
 * their improvement, and from those beside the best run, numbers ascend by gradient and each other dimension by its values, in turn,
 * until nothing improves (Optuna 5.0.0, `_gp/optim_mixed.py`).
 *
 * @param over value to improve on.
 * @param beside candidates that are starts although they are known: the way up leads away from them.
 */
export function maximizeImprovement(
  space: UnitSpace,
  posterior: Posterior,
  over: number,
  rated: readonly Improvement[],
  beside: readonly Improvement[],
  stream: RandomStream,
): Improvement[] {
  const nearest = beside.toSorted((a, b) => b.value - a.value).slice(0, MOST_BESIDE);
  const starts = [...chooseStarts(rated, START_COUNT - nearest.length, stream), ...nearest];
  const found = starts.map((start) => ascend(space, posterior, over, start));
  return [...found, ...rated].sort((a, b) => b.value - a.value);
}

/** Returns the best candidate and others drawn without replacement, by the exponential of their distance to it. */
function chooseStarts(rated: readonly Improvement[], count: number, stream: RandomStream): Improvement[] {
  const best = rated.reduce<Improvement | null>(
    (one, other) => (one === null || other.value > one.value ? other : one),
    null,
  );
  if (best === null) return [];
  const starts = [best];
  const weights = rated.map((one) => (one === best ? 0 : Math.exp(one.value - best.value)));
  while (starts.length < count) {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    if (!(sum > 0)) break;
    let rest = stream.uniform53() * sum;
    const place = weights.findIndex((weight) => (rest -= weight) < 0);
    const start = rated[place];
    if (start === undefined) break;
    starts.push(start);
    weights[place] = 0;
  }
  return starts;
}

function ascend(space: UnitSpace, posterior: Posterior, over: number, start: Improvement): Improvement {
  let best = start;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let next = ascendNumbers(space, posterior, over, best);
    space.values.forEach((values, place) => {
      const { point, fixed } = next.candidate;
      if (values !== null && !fixed.has(place) && !Number.isNaN(point[place])) {
        next = bestValue(space, posterior, over, next, place, values);
      }
    });
    if (next === best) break;
    best = next;
  }
  return best;
}

/** Moves the real numbers uphill. Coordinates are divided by the kernel's lengths, which makes the function equally steep in each. */
function ascendNumbers(space: UnitSpace, posterior: Posterior, over: number, start: Improvement): Improvement {
  const { point, all, fixed } = start.candidate;
  const places = space.continuous.filter((place) => !fixed.has(place) && !Number.isNaN(point[place]));
  if (places.length === 0) return start;
  const lengths = places.map((place) => posterior.lengthOf(place));
  const at = (x: Float64Array): Float64Array => {
    const moved = point.slice();
    places.forEach((place, index) => (moved[place] = (x[index] ?? 0) * (lengths[index] ?? 1)));
    return moved;
  };
  const { x } = minimize(
    (scaled) => {
      const { value, gradient } = posterior.improvementWithGradient(at(scaled), over, places);
      return { value: -value, gradient: gradient.map((slope, index) => -slope * (lengths[index] ?? 1)) };
    },
    Float64Array.from(places, (place, index) => (point[place] ?? 0) / (lengths[index] ?? 1)),
    { ...ASCENT, lower: new Float64Array(places.length), upper: Float64Array.from(lengths, (length) => 1 / length) },
  );
  const moved = all.slice();
  const reached = at(x);
  for (const place of places) moved[place] = reached[place] ?? 0;
  return better(start, space.candidateOf(moved, fixed), posterior, over);
}

function bestValue(
  space: UnitSpace,
  posterior: Posterior,
  over: number,
  start: Improvement,
  place: number,
  values: Float64Array,
): Improvement {
  const isTriedWhole = values.length <= MOST_TRIED || space.isChoice[place] === true;
  let best = start;
  const own = values.findIndex((value) => Math.abs(value - (start.candidate.all[place] ?? 0)) < 1e-12);
  const distances = isTriedWhole
    ? values.map((_, other) => other - own)
    : Array.from({ length: Math.ceil(Math.log2(values.length)) }, (_, power) => 2 ** power).flatMap((far) => [
        -far,
        far,
      ]);
  for (const distance of distances) {
    const value = values[own + distance];
    if (distance === 0 || value === undefined) continue;
    const all = start.candidate.all.slice();
    all[place] = value;
    best = better(best, space.candidateOf(all, start.candidate.fixed), posterior, over);
  }
  return best;
}

function better(best: Improvement, candidate: Candidate, posterior: Posterior, over: number): Improvement {
  const value = posterior.logExpectedImprovement(candidate.point, over);
  // Gains below the tolerance would continue for ever.
  return value > best.value + 1e-9 ? { candidate, value } : best;
}
