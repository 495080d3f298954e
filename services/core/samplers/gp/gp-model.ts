import { createStream } from '../../rng/stream.ts';
import type { Parameters } from '../../sweep/sweep-spec.ts';
import { encodePoint } from '../model/axis.ts';
import type { ModelDimension } from '../model/axis.ts';
import type { HistoryRun, IsKnown, Score, SuggestKey } from '../model/history.ts';
import type { Proposal, RoundModel } from '../model/round-model.ts';
import { SobolSequence } from '../sobol-sequence.ts';
import { fitKernel } from './fit-kernel.ts';
import type { TrainingSet } from './fit-kernel.ts';
import type { Coordinates } from './kernel.ts';
import { maximizeImprovement } from './maximize-improvement.ts';
import { logImprovement, Posterior } from './posterior.ts';
import { SharedPredictions } from './shared-predictions.ts';
import type { Candidate } from './unit-space.ts';
import { UnitSpace } from './unit-space.ts';

/** Points of the space that are rated before the local searches (Optuna: `n_preliminary_samples`). */
const PRELIMINARY_COUNT = 2048;

/**
 * A Gaussian process with the expected improvement (Optuna 5.0.0's kernel, priors and search), with three departures: known
 * variances of scores are part of the noise; the value to improve on is the best mean of a scored run, because with noise the best
 * observation is luck; and runs without a result, like the earlier suggestions of the round, count with the mean there. The kernel
 * is fitted once a round, and suggestions with the same allowed values start from the same points.
 */
export class GpModel implements RoundModel {
  readonly scoredCount: number;
  readonly #dimensions: readonly ModelDimension[];
  readonly #key: SuggestKey;
  readonly #space: UnitSpace;
  readonly #scale: Scale;
  readonly #posterior: Posterior;
  /** Coordinates of the best run, and the mean there. */
  readonly #incumbent: Coordinates;
  readonly #over: number;
  /** Points that searches start from, by the allowed values. */
  readonly #starts = new Map<string, Starts>();

  /** @param history with at least two scored runs. */
  constructor(
    dimensions: readonly ModelDimension[],
    base: Parameters,
    history: readonly HistoryRun[],
    key: SuggestKey,
  ) {
    this.#dimensions = dimensions;
    this.#key = key;
    this.#space = new UnitSpace(dimensions, base);
    const scored = history.flatMap((run) => (run.score === null ? [] : [{ run, score: run.score }]));
    const points = scored.map(({ run }) => this.#coordinatesOf(run.parameters));
    this.scoredCount = scored.length;
    this.#scale = scaleOf(scored.map(({ score }) => score));
    const data = trainingSet(
      points,
      scored.map(({ score }) => score),
      this.#scale,
      this.#space.isChoice,
    );
    this.#posterior = new Posterior(data, fitKernel(data));
    const means = points.map((point) => this.#posterior.predict(point).mean);
    this.#over = Math.max(...means);
    this.#incumbent = points[means.indexOf(this.#over)] ?? new Float64Array(dimensions.length);
    for (const run of history) {
      if (run.status === 'PENDING') this.add(run.parameters);
    }
  }

  suggest(position: number, allowed: readonly Parameters[], isKnown: IsKnown): Proposal | null {
    const stream = createStream(this.#key.seed, 'suggest', this.#key.round, position);
    const { candidates, predictions } = this.#startsWith(allowed);
    const rated = predictions.predict().map((prediction, place) => {
      // There are as many predictions as candidates.
      return { candidate: candidates[place] as Candidate, value: logImprovement(prediction, this.#over) };
    });
    const [drawn, beside] = [rated.slice(0, PRELIMINARY_COUNT), rated.slice(PRELIMINARY_COUNT)];
    const found = maximizeImprovement(this.#space, this.#posterior, this.#over, drawn, beside, stream);
    const best = found.find(({ candidate }) => !isKnown(candidate.parameters));
    if (best === undefined) return null;
    const { mean, variance } = this.#posterior.predict(best.candidate.point);
    const { centre, unit } = this.#scale;
    const rating = {
      kind: 'improvement',
      mean: centre + unit * mean,
      deviation: unit * Math.sqrt(variance),
      logImprovement: best.value,
    } as const;
    return { parameters: best.candidate.parameters, rating };
  }

  add(parameters: Parameters): void {
    this.#posterior.believe(this.#coordinatesOf(parameters));
  }

  #coordinatesOf(parameters: Parameters): Coordinates {
    return this.#space.toCoordinates(encodePoint(this.#dimensions, parameters));
  }

  #startsWith(allowed: readonly Parameters[]): Starts {
    const key = JSON.stringify(allowed);
    const known = this.#starts.get(key);
    if (known !== undefined) return known;
    const candidates = this.#drawCandidates(allowed);
    const predictions = new SharedPredictions(
      this.#posterior,
      candidates.map(({ point }) => point),
    );
    const starts = { candidates, predictions };
    this.#starts.set(key, starts);
    return starts;
  }

  #drawCandidates(allowed: readonly Parameters[]): Candidate[] {
    const seed = createStream(this.#key.seed, 'suggest', this.#key.round, 'candidates').uint32();
    const sequence = new SobolSequence(Math.max(1, this.#dimensions.length), seed);
    const drawn = Array.from({ length: PRELIMINARY_COUNT }, (_, place) =>
      this.#space.candidateAt(sequence.next(), allowed[place % allowed.length] ?? {}),
    );
    // The best run with each of the allowed values; dimensions that it does not have are those of a drawn point.
    const besides = drawn.slice(0, Math.max(1, allowed.length)).map(({ all, fixed }) => {
      const moved = this.#incumbent.map((own, place) =>
        fixed.has(place) || Number.isNaN(own) ? (all[place] ?? 0) : own,
      );
      return this.#space.candidateOf(moved, fixed);
    });
    return [...drawn, ...besides];
  }
}

interface Starts {
  readonly candidates: readonly Candidate[];
  readonly predictions: SharedPredictions;
}

/** Standardised scores are (score − centre) / unit. Those that are not finite count as the largest or smallest finite one. */
interface Scale {
  readonly low: number;
  readonly high: number;
  readonly centre: number;
  readonly unit: number;
}

function scaleOf(scores: readonly Score[]): Scale {
  const finite = scores.map(({ value }) => value).filter(Number.isFinite);
  // Without a finite score all are equal.
  const [low, high] = finite.length === 0 ? [0, 0] : [Math.min(...finite), Math.max(...finite)];
  const values = scores.map(({ value }) => Math.min(high, Math.max(low, value)));
  const centre = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length);
  return { low, high, centre, unit: deviation > 0 ? deviation : 1 };
}

function trainingSet(
  points: Float64Array[],
  scores: readonly Score[],
  { low, high, centre, unit }: Scale,
  isChoice: readonly boolean[],
): TrainingSet {
  return {
    points,
    isChoice,
    scores: Float64Array.from(scores, ({ value }) => (Math.min(high, Math.max(low, value)) - centre) / unit),
    variances: Float64Array.from(scores, ({ variance }) => (variance ?? 0) / unit ** 2),
  };
}
