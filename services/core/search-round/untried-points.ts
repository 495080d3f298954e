import { digestOf } from '../digest.ts';
import { InvalidRequestError } from '../errors.ts';
import { basePoint } from '../samplers/baseline.ts';
import { assignDimensions, orderDimensions } from '../samplers/dimensions.ts';
import { valueAt } from '../samplers/domain.ts';
import { remainingPoints } from '../samplers/remaining-points.ts';
import { SobolSequence } from '../samplers/sobol-sequence.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';

/** Sobol points in a row that are known, after which what is left of the space is enumerated. */
const MAX_REPEATS = 64;
/** Enumerated points in a row that can't be trained, after which the space counts as exhausted. */
const MAX_IMPOSSIBLE = 20_000;

/** Returns the digest of a point's canonical parameters; null where two of its values contradict each other. */
export function pointDigest(point: Parameters): string | null {
  try {
    return digestOf(canonicalParameters(point));
  } catch (error) {
    if (error instanceof InvalidRequestError) return null;
    throw error;
  }
}

/** Points of a space that no run has: the next ones of its Sobol sequence, then what is left of a finite space. */
export class UntriedPoints {
  readonly #spec: SweepSpec;
  readonly #isKnown: (point: Parameters) => boolean;
  readonly #sequence: SobolSequence;
  #remaining: Iterator<Parameters> | null = null;

  /** @param usedCount number of points of the sequence that runs have */
  constructor(spec: SweepSpec, usedCount: number, isKnown: (point: Parameters) => boolean) {
    this.#spec = spec;
    this.#isKnown = isKnown;
    this.#sequence = new SobolSequence(Math.max(1, spec.parameters.length), spec.seed);
    for (let index = 0; index < usedCount; index++) this.#sequence.next();
  }

  /** Returns the next Sobol point, with some values given; null where 64 in a row are known. */
  nextSobol(given: Parameters): Parameters | null {
    for (let repeats = 0; repeats < MAX_REPEATS; repeats++) {
      const point = this.#draw(given);
      if (!this.#isKnown(point)) return point;
    }
    return null;
  }

  /** Returns a remaining point; null where none is left. */
  nextRemaining(): Parameters | null {
    this.#remaining ??= remainingPoints(this.#spec, basePoint(this.#spec))[Symbol.iterator]();
    for (let impossibleCount = 0; impossibleCount < MAX_IMPOSSIBLE;) {
      const { value, done } = this.#remaining.next() as IteratorResult<Parameters, undefined>;
      if (done === true) return null;
      if (!this.#isKnown(value)) return value;
      impossibleCount = pointDigest(value) === null ? impossibleCount + 1 : 0;
    }
    return null;
  }

  #draw(given: Parameters): Parameters {
    const coordinates = this.#sequence.next();
    return assignDimensions(orderDimensions(this.#spec.parameters), basePoint(this.#spec), (dimension) => {
      const { name, domain } = dimension.spec;
      return given[name] ?? valueAt(domain, dimension.definition, coordinates[dimension.position] ?? 0);
    });
  }
}
