import { correctCountOf, discordance } from '../../statistics/evidence.ts';
import type { Evidence } from '../../statistics/evidence.ts';
import { mcnemarMidP } from '../../statistics/mcnemar.ts';
import type { SweepSpec } from '../../sweep/sweep-spec.ts';
import type { ProbeEvidence, ScreenCandidate } from './candidate.ts';

/** Probability, over all comparisons of a screen, that a candidate as good as the best is called worse. */
const LEVEL = 0.05;
const P_VALUE_DIGITS = 6;

/** Rule of a screen with its version, as it is stored with the decision. */
export const SCREEN_RULE = 'screen@1';

/** Settings of a screen. */
export interface ScreenPolicy {
  readonly rule: typeof SCREEN_RULE;
  /** Candidates with a result that are kept at most, the baseline's included. */
  readonly keep: number;
}

/** Returns how the candidates of a sweep are screened; null: they are not. One candidate alone has nothing to be compared with. */
export function screenPolicyOf({ screen }: Pick<SweepSpec, 'screen'>, candidateCount: number): ScreenPolicy | null {
  if (screen === undefined || screen === 'off' || candidateCount < 2) return null;
  return { rule: SCREEN_RULE, keep: screen.keep };
}

/** Reasons to keep a candidate or to leave it out. */
export type ScreenGround = 'BEST' | 'NOT_WORSE' | 'BASELINE' | 'NO_RESULT' | 'WORSE' | 'NO_PLACE';

/** Verdict of a screen on a candidate. */
export interface ScreenVerdict {
  readonly position: number;
  readonly isKept: boolean;
  readonly ground: ScreenGround;
  /** Place by the number of images predicted correctly, from 1; null: no result. */
  readonly place: number | null;
  readonly correctCount: number | null;
  readonly imageCount: number | null;
  /** Comparison with the best candidate; null: it is the best, or has no result. */
  readonly comparison: {
    /** Images that only the best is right on. */
    readonly bestOnly: number;
    /** Images that only this one is right on. */
    readonly thisOnly: number;
    readonly pValue: number;
  } | null;
}

/** Verdicts of a screen. */
export interface ScreenTable {
  /** Best first, those without a result last. */
  readonly verdicts: readonly ScreenVerdict[];
  /** Bound of each p-value. */
  readonly alpha: number;
}

/**
 * Decides which candidates of a screen are kept: the best by images predicted without having been seen, those that are not distinguishable
 * from it (McNemar's mid-p value on the same images, Bonferroni's bound over all comparisons), and in any case the baseline's, which
 * the winner is compared with. If more are left than have a place, the better ones are kept; of equally good ones, the cheaper. A
 * candidate without a result is kept beside them: nothing is known against it.
 */
export function screen({ keep }: ScreenPolicy, candidates: readonly ScreenCandidate[]): ScreenTable {
  const ranked = candidates.flatMap((candidate) => {
    const evidence = candidate.evidence === null ? null : evidenceOf(candidate.evidence);
    return evidence === null ? [] : [{ ...candidate, evidence, right: correctCountOf(evidence) }];
  });
  ranked.sort((a, b) => b.right - a.right || a.seconds - b.seconds || a.position - b.position);
  const [best] = ranked;
  const alpha = LEVEL / Math.max(1, ranked.length - 1);
  const compared = ranked.map((candidate, index) => ({
    candidate,
    place: index + 1,
    comparison: best === undefined || index === 0 ? null : compare(best.evidence, candidate.evidence),
  }));
  const baselines = compared.filter(({ candidate, place }) => candidate.isBaseline && place > 1).length;
  let places = Math.max(0, keep - 1 - baselines);
  const groundOf = ({ candidate, place, comparison }: (typeof compared)[number]): ScreenGround => {
    if (comparison === null || place === 1) return 'BEST';
    if (candidate.isBaseline) return 'BASELINE';
    if (comparison.pValue < alpha) return 'WORSE';
    if (places === 0) return 'NO_PLACE';
    places -= 1;
    return 'NOT_WORSE';
  };
  const verdicts = compared.map((entry): ScreenVerdict => {
    const ground = groundOf(entry);
    return {
      position: entry.candidate.position,
      isKept: ground !== 'WORSE' && ground !== 'NO_PLACE',
      ground,
      place: entry.place,
      correctCount: entry.candidate.right,
      imageCount: entry.candidate.evidence.count,
      comparison: entry.comparison,
    };
  });
  const unmeasured = candidates
    .filter(({ evidence }) => evidence === null)
    .map(({ position }): ScreenVerdict => ({
      position,
      isKept: true,
      ground: 'NO_RESULT',
      place: null,
      correctCount: null,
      imageCount: null,
      comparison: null,
    }));
  return { verdicts: [...verdicts, ...unmeasured], alpha };
}

function evidenceOf({ correct, count }: ProbeEvidence): Evidence {
  return { correct, count, losses: null };
}

/** Tests whether a candidate is worse than the best. Rounded, so that the last bits of a logarithm change no replay. */
function compare(best: Evidence, candidate: Evidence): NonNullable<ScreenVerdict['comparison']> {
  const { firstOnly, secondOnly } = discordance(best, candidate);
  const pValue = Number(mcnemarMidP(firstOnly, secondOnly).toPrecision(P_VALUE_DIGITS));
  return { bestOnly: firstOnly, thisOnly: secondOnly, pValue };
}
