import type { RandomStream } from '../../rng/stream.ts';
import type { SearchPolicy } from '../../stopping/policy.ts';
import type { RunWork } from './search-work.ts';

/** Correlation of a head's score with that of its fine-tuned run, and of the score at a rung with that at the end of its stage. */
const HEAD_CORRELATION = 0.6;
const RUNG_CORRELATION = 0.8;

/**
 * Draws the score of each run at each rung from a normal model, which only ranks runs: heads and fine-tuned runs correlate by 0.6, a
 * rung and the end of its stage by 0.8. Runs with the same head have the same score there. The better score is the better value of
 * the objective.
 *
 * @returns scores by run and rung.
 */
export function drawScores(
  policy: SearchPolicy,
  runs: readonly Pick<RunWork, 'headGroup'>[],
  stream: RandomStream,
): readonly number[][] {
  const sign = policy.objective.goal === 'minimize' ? -1 : 1;
  const heads = new Map<number, readonly number[]>();
  return runs.map(({ headGroup }) => {
    let head = heads.get(headGroup);
    if (head === undefined) {
      const end = stream.normal();
      head = policy.ladder.flatMap(({ stage, epoch }) => (stage === 'HEAD' ? [atRung(end, epoch, stream)] : []));
      heads.set(headGroup, head);
    }
    const end = correlated(head.at(-1) ?? 0, HEAD_CORRELATION, stream);
    const tuned = policy.ladder.flatMap(({ stage, epoch }) =>
      stage === 'FINE_TUNE' ? [atRung(end, epoch, stream)] : [],
    );
    return [...head, ...tuned].map((score) => sign * score);
  });
}

function atRung(end: number, epoch: number | null, stream: RandomStream): number {
  return epoch === null ? end : correlated(end, RUNG_CORRELATION, stream);
}

function correlated(score: number, correlation: number, stream: RandomStream): number {
  return correlation * score + Math.sqrt(1 - correlation ** 2) * stream.normal();
}
