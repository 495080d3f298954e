import { countOf } from '../../text/count-of.ts';
import { nameOf } from './candidate.ts';
import type { ScreenCandidate } from './candidate.ts';
import type { ScreenTable, ScreenVerdict } from './keep.ts';

/** Candidates that a decision names; a table has all of them. */
const MOST_NAMED = 12;

/** Describes a screen in one sentence: what was kept, and what was not. */
export function describeScreen(candidates: readonly ScreenCandidate[], { verdicts }: ScreenTable): string {
  const kept = verdicts.filter(({ isKept }) => isKept);
  const dropped = verdicts.filter(({ isKept }) => !isKept);
  const images = verdicts.find(({ imageCount }) => imageCount !== null)?.imageCount ?? null;
  const on = images === null ? '' : ` on ${countOf(images, 'image')}`;
  const list = (some: readonly ScreenVerdict[]): string => {
    const named = some.slice(0, MOST_NAMED).map((verdict) => shortly(candidates, verdict));
    return [...named, ...(some.length > MOST_NAMED ? [`${some.length - MOST_NAMED} more`] : [])].join(', ');
  };
  const out = dropped.length === 0 ? 'none is worse' : `screened out ${list(dropped)}`;
  return `kept ${kept.length} of ${countOf(verdicts.length, 'candidate')}${on}: ${list(kept)}; ${out}`;
}

/** Describes one verdict: `vgg16 0.810 (p < 0.001)`. */
function shortly(candidates: readonly ScreenCandidate[], verdict: ScreenVerdict): string {
  const candidate = candidateAt(candidates, verdict.position);
  const name = nameOf(candidate, candidates);
  const { ground, comparison } = verdict;
  if (ground === 'NO_RESULT') return `${name} (no result: ${candidate.failure ?? 'it was not probed'})`;
  const why = [
    ...(comparison === null ? [] : [pText(comparison.pValue)]),
    ...(ground === 'BASELINE' ? ["the baseline's"] : []),
    ...(ground === 'NO_PLACE' ? ['no place left'] : []),
  ].join(', ');
  return `${name} ${accuracyOf(verdict)}${why === '' ? '' : ` (${why})`}`;
}

/** Describes for people why the screen kept a candidate, or why not. Needs no knowledge of the rule. */
export function describeVerdict(
  candidates: readonly ScreenCandidate[],
  { verdicts, alpha }: ScreenTable,
  verdict: ScreenVerdict,
  keep: number,
): string {
  const candidate = candidateAt(candidates, verdict.position);
  const [first] = verdicts;
  const { ground, comparison, imageCount } = verdict;
  const own = `${accuracyOf(verdict)} of ${countOf(imageCount ?? 0, 'image')} predicted correctly`;
  if (ground === 'NO_RESULT') {
    return `kept: its probe has no result (${candidate.failure ?? 'it was not probed'}), so nothing is known against it`;
  }
  if (comparison === null || first === undefined) return `kept: the best of ${verdicts.length}, ${own}`;
  const best = candidateAt(candidates, first.position);
  const bestName = nameOf(best, candidates);
  const evidence =
    `${bestName}, the best, ${accuracyOf(first)}; only that one right on ${comparison.bestOnly}, only this one on ` +
    `${comparison.thisOnly}, ${pText(comparison.pValue)}`;
  const bound = `(bound ${Number(alpha.toPrecision(2))})`;
  const logMe =
    candidate.evidence === null || best.evidence === null
      ? ''
      : `; LogME ${candidate.evidence.logMe.toFixed(2)} against ${best.evidence.logMe.toFixed(2)}, which decides nothing`;
  switch (ground) {
    case 'WORSE':
      return `screened out: ${own}; ${evidence} ${bound}${logMe}`;
    case 'NO_PLACE':
      return (
        `screened out: ${own}, place ${verdict.place ?? '?'} of ${verdicts.length}; at most ${keep} are kept (screen.keep), although it is ` +
        `not distinguishable from ${evidence} ${bound}${logMe}`
      );
    case 'BASELINE':
      return `kept as the baseline's: ${own}; ${evidence} ${bound}${logMe}`;
    default:
      return `kept: ${own}; not distinguishable from ${evidence} ${bound}${logMe}`;
  }
}

function candidateAt(candidates: readonly ScreenCandidate[], position: number): ScreenCandidate {
  const candidate = candidates.find((one) => one.position === position);
  if (candidate === undefined) throw new RangeError(`There is no candidate ${position}.`);
  return candidate;
}

function accuracyOf({ correctCount, imageCount }: ScreenVerdict): string {
  return ((correctCount ?? 0) / Math.max(1, imageCount ?? 0)).toFixed(3);
}

function pText(pValue: number): string {
  return pValue < 0.001 ? 'p < 0.001' : `p = ${Number(pValue.toPrecision(2))}`;
}
