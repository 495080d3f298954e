import { MAX_AMBIGUOUS, MAX_NEAREST, nearestThings } from '../../../core/handle.ts';
import type { HandleCandidate, ResolvedHandle } from '../../../core/records/handle.ts';

/** A resolved handle that knows whether it is a whole identity or name, which precedes a prefix of another kind of thing. */
export interface Resolution extends ResolvedHandle {
  readonly isWhole: boolean;
}

export function found(id: string, isWhole = true): Resolution {
  return { outcome: 'FOUND', id, problem: '', candidates: [], isWhole };
}

/** @param problem sentences that introduce the candidates. */
export function ambiguous(problem: string, candidates: readonly HandleCandidate[], isWhole = false): Resolution {
  return { outcome: 'AMBIGUOUS', id: '', problem, candidates: candidates.slice(0, MAX_AMBIGUOUS), isWhole };
}

export function notFound(problem: string, candidates: readonly HandleCandidate[] = []): Resolution {
  return { outcome: 'NOT_FOUND', id: '', problem, candidates: candidates.slice(0, MAX_NEAREST), isWhole: false };
}

/** Returns a resolution with the one candidate that a handle names, or with the reason why it names none. */
export function resolutionOf(
  kind: string,
  handle: string,
  matches: { readonly items: readonly HandleCandidate[]; readonly isWhole: boolean },
): Resolution | null {
  const [first] = matches.items;
  if (first === undefined) return null;
  if (matches.items.length === 1) return found(first.id, matches.isWhole);
  const count = matches.items.length > MAX_AMBIGUOUS ? `more than ${MAX_AMBIGUOUS}` : String(matches.items.length);
  const how = matches.isWhole ? 'is the name of' : 'is the beginning of';
  return ambiguous(`'${handle}' ${how} ${count} ${kind}s. Use the id of one:`, matches.items, matches.isWhole);
}

/**
 * Returns a resolution of an unknown handle with the things of similar names, else with the latest ones.
 *
 * @param kinds kinds of things that the handle could have named, for example `run or sweep`.
 */
export function unknown(kinds: string, handle: string, latest: readonly HandleCandidate[]): Resolution {
  const none = `There is no ${kinds} '${handle}'.`;
  if (latest.length === 0) return notFound(none);
  const nearest = nearestThings(handle, latest);
  return nearest.length > 0 ? notFound(`${none} Similar:`, nearest) : notFound(`${none} The latest:`, latest);
}

/** Returns a pattern of LIKE for strings that start with `prefix`. */
export function startsWith(prefix: string): string {
  return `${prefix.replace(/[\\%_]/g, '\\$&')}%`;
}
