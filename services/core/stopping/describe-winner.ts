import type { Objective } from '../objective.ts';
import { isClassMetric } from '../objective.ts';
import type { PairedDifference } from '../statistics/mean-outcomes.ts';
import { countOf } from '../text/count-of.ts';
import type { CheaperRun, ScoredCandidate, WinnerVerdict } from './choose-winner.ts';

/** Returns what people should know of the choice of a winner, in sentences. @param nameOf backbone of a run, by number */
export function describeWinner(
  objective: Objective,
  verdict: WinnerVerdict,
  nameOf: (runIndex: number) => string,
): readonly string[] {
  const { winner, cheaper, isOfFinalists } = verdict;
  return [
    ...(isOfFinalists || winner !== verdict.best ? [describeChoice(objective, verdict)] : []),
    ...(isOfFinalists ? failedRepeats(verdict) : []),
    ...(cheaper === null ? [] : [describeCheaper(objective, winner, cheaper, nameOf)]),
    ...describeExpectation(objective, verdict),
  ];
}

function describeChoice(objective: Objective, { rule, winner, best, difference, next }: WinnerVerdict): string {
  const own = `Run ${winner.runIndex} wins with ${describeScore(objective, winner)}`;
  if (winner !== best) {
    const margin = difference === null ? '' : ` (${describeDifference(objective, difference)})`;
    const part = partOf(winner, best);
    const size = part === null ? '' : `, with ${inWords(part)} of its bytes`;
    return (
      `${own}: by the rule ${rule} it is the cheapest run within one standard error of the best score, ` +
      `${describeScore(objective, best)} of run ${best.runIndex}${margin}${size}.`
    );
  }
  if (next === null) return `${own}.`;
  const margin = next.difference === null ? '' : ` (${describeDifference(objective, next.difference)})`;
  return `${own}; run ${next.run.runIndex} has ${describeScore(objective, next.run)}${margin}.`;
}

/** Formats a score with what it is the mean of: `0.9620, the mean of 3 seeds (0.9580 to 0.9660)`. */
function describeScore({ metric }: Objective, { score, trainings }: ScoredCandidate): string {
  const value = `${metric} ${formatScore(score)}`;
  if (trainings.length < 2) return value;
  const values = trainings.map((training) => training.value);
  const range = `${formatScore(Math.min(...values))} to ${formatScore(Math.max(...values))}`;
  return `${value}, the mean of ${trainings.length} seeds (${range})`;
}

function failedRepeats({ winner, next, best }: WinnerVerdict): string[] {
  const named = [...new Set([winner, best, ...(next === null ? [] : [next.run])])];
  return named.flatMap(({ runIndex, trainings, repeatCount }) => {
    const failed = repeatCount + 1 - trainings.length;
    if (failed <= 0) return [];
    const mean =
      trainings.length === 1 ? 'its score is that of one training' : `its score is the mean of ${trainings.length}`;
    return [`${failed} of the ${countOf(repeatCount, 'repeat')} of run ${runIndex} did not succeed: ${mean}.`];
  });
}

function describeCheaper(
  objective: Objective,
  winner: ScoredCandidate,
  { run, part, difference }: CheaperRun,
  nameOf: (runIndex: number) => string,
): string {
  const [own, other] = [nameOf(run.runIndex), nameOf(winner.runIndex)];
  const name = own === other ? `run ${run.runIndex}` : `${own} (run ${run.runIndex})`;
  return (
    `${formatScore(run.score)} with ${name}, ${inWords(part)} of the bytes, is not distinguishable ` +
    `(${describeDifference(objective, difference)}).`
  );
}

function describeExpectation(
  { metric }: Objective,
  { winner, expectedScore, rivalCount, best }: WinnerVerdict,
): string[] {
  if (expectedScore === null || winner !== best || rivalCount < 2) return [];
  return [
    `On new images ${metric} ${formatScore(expectedScore)} is expected of run ${winner.runIndex}, not ${formatScore(winner.score)}: ` +
      `the best of ${rivalCount} runs that chance could have put first is lucky.`,
  ];
}

/** Formats a difference with its standard error: `−0.4 ± 0.5 points`, or in units of the loss. */
function describeDifference({ metric }: Objective, { mean, standardError }: PairedDifference): string {
  const sign = (value: number, digits: number): string => {
    const size = Math.abs(value).toFixed(digits);
    return Number(size) === 0 ? size : `${value < 0 ? '−' : '+'}${size}`;
  };
  if (metric === 'val_loss') return `${sign(mean, 4)} ± ${standardError.toFixed(4)}`;
  const by = isClassMetric(metric) ? ' of accuracy' : '';
  return `${sign(100 * mean, 1)} ± ${(100 * standardError).toFixed(1)} points${by}`;
}

function formatScore(score: number): string {
  return score.toFixed(4);
}

function partOf(run: ScoredCandidate, other: ScoredCandidate): number | null {
  return run.modelBytes === null || other.modelBytes === null ? null : run.modelBytes / other.modelBytes;
}

const FRACTIONS = [
  'half',
  'a third',
  'a quarter',
  'a fifth',
  'a sixth',
  'a seventh',
  'an eighth',
  'a ninth',
  'a tenth',
];
/** Relative distance within which a fraction is called by its name. */
const NAMED_WITHIN = 0.1;

/** Formats a part as `a sixth`, or as `38 %` where no fraction is near. */
export function inWords(part: number): string {
  const denominator = Math.round(1 / part);
  const name = FRACTIONS[denominator - 2];
  if (name !== undefined && Math.abs(part * denominator - 1) <= NAMED_WITHIN) return name;
  if (part < 0.01) return 'less than a hundredth';
  return `${(100 * part).toFixed(0)} %`;
}
