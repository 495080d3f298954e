import type { Objective } from '../objective.ts';
import { isBetter } from '../objective.ts';
import { expectedMaximum } from '../statistics/expected-maximum.ts';
import { meanOutcomes, pairedDifference } from '../statistics/mean-outcomes.ts';
import type { MeanOutcomes, Outcome, PairedDifference } from '../statistics/mean-outcomes.ts';
import { normalUpperTail } from '../statistics/normal.ts';
import type { Evidence } from '../statistics/evidence.ts';
import type { WinnerRule } from '../sweep/finalist-spec.ts';
import { FINALIST_ALPHA } from './finalists.ts';

/** One training of a run: its own, or that of a repetition with another seed. */
export interface Training {
  /** Best value of the objective. */
  readonly value: number;
  /** Results by image at that value; null: none are stored. */
  readonly evidence: Evidence | null;
}

/** A run that can win. */
export interface Candidate {
  readonly runIndex: number;
  /** Its own training first. */
  readonly trainings: readonly Training[];
  /** Repetitions that were begun, those that did not succeed included. */
  readonly repeatCount: number;
  /** Null: unknown. */
  readonly latencySeconds: number | null;
  /** Null: unknown. */
  readonly modelBytes: number | null;
}

/** A candidate with its mean over the seeds. */
export interface ScoredCandidate extends Candidate {
  readonly score: number;
  readonly outcomes: MeanOutcomes | null;
}

/** A cheaper run beside the winner. */
export interface CheaperRun {
  readonly run: ScoredCandidate;
  /** Part of the winner's bytes. */
  readonly part: number;
  readonly difference: PairedDifference;
}

export interface WinnerVerdict {
  readonly rule: WinnerRule;
  readonly winner: ScoredCandidate;
  /** Run with the best score. */
  readonly best: ScoredCandidate;
  /** The winner's outcomes minus those of the best run; null: they are one run, or not compared. */
  readonly difference: PairedDifference | null;
  /** Next run by score among those that could win; null: there is none. */
  readonly next: { readonly run: ScoredCandidate; readonly difference: PairedDifference | null } | null;
  /** A smaller run that is not distinguishable from the winner; null: none is. */
  readonly cheaper: CheaperRun | null;
  /** Score that the winner is expected to have on new images; null: unknown, as for metrics by class. */
  readonly expectedScore: number | null;
  /** Number of runs whose place chance could have decided, the winner included. */
  readonly rivalCount: number;
  /** True: only finalists could win. */
  readonly isOfFinalists: boolean;
}

/** Part of the winner's bytes from which a smaller run is not worth naming: heads differ by less. */
const NAMED_PART = 0.9;
/** Chance of leaving out a run that is as good as the best one from its rivals, over all of them. */
const RIVAL_ALPHA = 0.05;

/**
 * Chooses the winner of a sweep. The score of a run is the mean over its trainings. Where finalists were repeated, only they can win: the
 * others were found worse, or have a single measurement, which is lucky where it is the best one.
 *
 * `one_standard_error` takes the cheapest run (latency, then bytes, then number) whose score is within one standard error of the best one.
 * The standard error is that of the difference of the two, paired over the images (Breiman et al. 1984, 3.4.3, who compare scores of
 * one model by cross-validation).
 *
 * @param candidates by rank, the best first; at least one.
 */
export function chooseWinner(objective: Objective, rule: WinnerRule, candidates: readonly Candidate[]): WinnerVerdict {
  const outcome: Outcome = objective.metric === 'val_loss' ? 'loss' : 'correct';
  const scored = candidates.map((run) => toScored(outcome, run));
  const repeated = scored.filter(({ trainings, repeatCount }) => repeatCount > 0 && trainings.length > 0);
  const isOfFinalists = repeated.some(({ trainings }) => trainings.length > 1);
  const pool = (isOfFinalists ? repeated : scored).toSorted((a, b) => compareScores(objective, a, b));
  const [best] = pool;
  if (best === undefined) throw new RangeError('There is no run to choose the winner from.');
  const winner = rule === 'best' ? best : cheapestWithin(objective, best, pool);
  const next = pool.find((run) => run !== winner);
  const { expectedScore, rivalCount } = expectation(objective, winner, best, scored);
  return {
    rule,
    winner,
    best,
    difference: winner === best ? null : differenceOf(winner, best),
    next: next === undefined ? null : { run: next, difference: differenceOf(next, winner) },
    cheaper: cheaperThan(objective, winner, scored),
    expectedScore,
    rivalCount,
    isOfFinalists,
  };
}

function toScored(outcome: Outcome, candidate: Candidate): ScoredCandidate {
  const { trainings } = candidate;
  const score = trainings.reduce((sum, { value }) => sum + value, 0) / trainings.length;
  return {
    ...candidate,
    score,
    outcomes: meanOutcomes(
      outcome,
      trainings.map(({ evidence }) => evidence),
    ),
  };
}

/** Orders by score; equal ones keep their rank. */
function compareScores(objective: Objective, a: ScoredCandidate, b: ScoredCandidate): number {
  return a.score === b.score ? 0 : isBetter(objective, a.score, b.score) ? -1 : 1;
}

function differenceOf(run: ScoredCandidate, other: ScoredCandidate): PairedDifference | null {
  return run.outcomes === null || other.outcomes === null ? null : pairedDifference(run.outcomes, other.outcomes);
}

/** Returns how much worse a run's score is than another's; below 0: it is better. */
function deficit({ goal }: Objective, run: ScoredCandidate, other: ScoredCandidate): number {
  return goal === 'minimize' ? run.score - other.score : other.score - run.score;
}

function cheapestWithin(
  objective: Objective,
  best: ScoredCandidate,
  pool: readonly ScoredCandidate[],
): ScoredCandidate {
  const within = pool.filter((run) => {
    const error = differenceOf(run, best)?.standardError;
    return run === best || (error !== undefined && deficit(objective, run, best) <= error);
  });
  return within.toSorted(compareCosts)[0] ?? best;
}

function compareCosts(a: ScoredCandidate, b: ScoredCandidate): number {
  const byLatency =
    a.latencySeconds === null || b.latencySeconds === null ? 0 : Math.sign(a.latencySeconds - b.latencySeconds);
  const byBytes = a.modelBytes === null || b.modelBytes === null ? 0 : a.modelBytes - b.modelBytes;
  return byLatency || byBytes || a.runIndex - b.runIndex;
}

/** Returns the smallest model that is not distinguishable from the winner, of equal ones the best. */
function cheaperThan(
  objective: Objective,
  winner: ScoredCandidate,
  scored: readonly ScoredCandidate[],
): CheaperRun | null {
  const bytes = winner.modelBytes;
  if (bytes === null || bytes === 0) return null;
  const smaller = scored.flatMap((run): CheaperRun[] => {
    const difference = differenceOf(run, winner);
    const part = (run.modelBytes ?? Infinity) / bytes;
    if (difference === null || part > NAMED_PART) return [];
    return isWorse(objective, run, winner, difference, FINALIST_ALPHA) ? [] : [{ run, part, difference }];
  });
  return smaller.toSorted((a, b) => a.part - b.part || compareScores(objective, a.run, b.run))[0] ?? null;
}

/** Returns whether a run is found worse than another one by a one-sided normal test on the images. */
function isWorse(
  objective: Objective,
  run: ScoredCandidate,
  other: ScoredCandidate,
  { standardError }: PairedDifference,
  alpha: number,
): boolean {
  const worse = deficit(objective, run, other);
  return standardError === 0 ? worse > 0 : normalUpperTail(worse / standardError) < alpha;
}

/**
 * Returns the winner's score without the luck of having been chosen: score − E[max_K]·SE. K counts the runs that are not distinguishable
 * from the best one (α = 0.05 over all of them); the rest had no chance. SE is a run's own part of the chance, √½ of the paired
 * standard error of a difference: what the images do to all runs alike chooses none. Where the scores of the rivals differ by more
 * than SE, a part of their order is real, and SE is multiplied by SE / (their standard deviation), as an empirical Bayes estimate
 * (Efron and Morris 1973) does.
 */
function expectation(
  objective: Objective,
  winner: ScoredCandidate,
  best: ScoredCandidate,
  scored: readonly ScoredCandidate[],
): Pick<WinnerVerdict, 'expectedScore' | 'rivalCount'> {
  const alpha = RIVAL_ALPHA / Math.max(1, scored.length - 1);
  const compared = scored.flatMap((run) => {
    const difference = run === best ? null : differenceOf(run, best);
    return difference === null || isWorse(objective, run, best, difference, alpha) ? [] : [{ run, difference }];
  });
  const rivalCount = compared.length + 1;
  const isMeasured = objective.metric === 'val_accuracy' || objective.metric === 'val_loss';
  // The rule has not chosen the best score, so that this was not chosen for its luck.
  if (!isMeasured || winner.outcomes === null || scored.length < 2) return { expectedScore: null, rivalCount };
  if (compared.length === 0 || winner !== best) return { expectedScore: winner.score, rivalCount };
  const variance =
    compared.reduce((sum, { difference }) => sum + difference.standardError ** 2, 0) / compared.length / 2;
  const spread = varianceOf([best, ...compared.map(({ run }) => run)].map(({ score }) => score));
  const error = variance === 0 ? 0 : variance / Math.sqrt(Math.max(variance, spread));
  const luck = expectedMaximum(rivalCount) * error;
  return { expectedScore: winner.score + (objective.goal === 'minimize' ? luck : -luck), rivalCount };
}

function varianceOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
}
