import type { StoredSearch, RoundInputs } from '../stopping/decision-inputs.ts';
import { stateOf } from '../stopping/decision-inputs.ts';
import { nextAction } from '../stopping/advance.ts';
import type { Mismatch, StoredDecision } from '../stopping/replay.ts';
import type { JsonValue } from '../digest.ts';
import { canonicalJson, digestOf } from '../digest.ts';
import { basePoint } from '../samplers/baseline.ts';
import { EXTENDED_NAMES } from '../sweep/extend-spec.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { firstRound } from './first-round.ts';
import type { StoredSuggestion } from './describe-suggestion.ts';
import type { SuggestedRun } from './suggestion.ts';
import type { ScreenedTarget } from './screened-space.ts';
import { suggestRound } from './suggest-round.ts';
import { pointDigest } from './untried-points.ts';

/** The rounds of a sweep as they are stored. */
export interface StoredRounds {
  /** The present spec, with its extensions. */
  readonly spec: SweepSpec;
  /** Spec of the first round, where later ones know that some of its values can't be trained; absent: the same. */
  readonly firstSpec?: SweepSpec;
  /** Candidates that a screen has decided about, after the first round. */
  readonly screened?: readonly ScreenedTarget[];
  readonly search: StoredSearch;
  /** Canonical parameters by run number. */
  readonly parameters: readonly Parameters[];
  /** Suggestions by round and position. */
  readonly suggestions: readonly (StoredSuggestion & { readonly runIndex: number })[];
}

/** A decision about a round. */
type RoundDecision = StoredDecision & { readonly kind: 'SUGGEST' };

/**
 * Recomputes the runs of each round and returns what differs: parameters, sampler or reasons of a suggestion, a missing or doubled place, a
 * round without a decision. The first round is a function of the spec, and has none.
 *
 * @param decisions at least all of kind SUGGEST
 */
export function replayRounds(stored: StoredRounds, decisions: readonly StoredDecision[]): Mismatch[] {
  const rounds = new Map<number, readonly StoredRounds['suggestions'][number][]>();
  for (const suggestion of stored.suggestions) {
    rounds.set(suggestion.round, [...(rounds.get(suggestion.round) ?? []), suggestion]);
  }
  const made = new Map<number, RoundDecision[]>();
  for (const decision of decisions) {
    if (!isRound(decision)) continue;
    const round = decision.inputs.rounds?.asked ?? 0;
    made.set(round, [...(made.get(round) ?? []), decision]);
  }
  const numbers = [...new Set([...rounds.keys(), ...made.keys()])].sort((a, b) => a - b);
  return numbers.flatMap((round) => {
    const there = rounds.get(round) ?? [];
    const own = made.get(round) ?? [];
    return [...decisionMismatches(round, own), ...differences(stored, round, there, own[0] ?? null)];
  });
}

function isRound(decision: StoredDecision): decision is RoundDecision {
  return decision.kind === 'SUGGEST';
}

/** Compares the number of decisions about a round. The first one may have none. */
function decisionMismatches(round: number, decisions: readonly RoundDecision[]): Mismatch[] {
  const [first, ...more] = decisions;
  const doubled = more.map(({ decisionId }) =>
    mismatch(decisionId, `decisions about round ${round}:`, more.length + 1, 1),
  );
  return first === undefined && round > 0 ? [mismatch(0, `decisions about round ${round}:`, 0, 1)] : doubled;
}

function differences(
  stored: StoredRounds,
  round: number,
  there: StoredRounds['suggestions'],
  decision: RoundDecision | null,
): Mismatch[] {
  const decisionId = decision?.decisionId ?? 0;
  const recomputed =
    decision === null ? (round === 0 ? recomputeFirst(stored, there) : null) : recompute(stored, there, decision);
  if (recomputed === null) return [];
  const { suggested } = (decision?.inputs ?? { suggested: there.length }) as Pick<RoundInputs, 'suggested'>;
  const count =
    suggested === recomputed.length && there.length === recomputed.length
      ? []
      : [mismatch(decisionId, `runs of round ${round}:`, there.length, recomputed.length)];
  const runs = recomputed.flatMap((run, position) => {
    const own = there.filter((suggestion) => suggestion.position === position);
    const name = `round ${round}, place ${position + 1}`;
    if (own.length !== 1) return [mismatch(decisionId, `runs at ${name}:`, own.length, 1)];
    return own.flatMap((suggestion) => runDifferences(stored, suggestion, run, decisionId, name));
  });
  return [...count, ...runs];
}

function runDifferences(
  { parameters }: StoredRounds,
  { runIndex, sampler, detail }: StoredRounds['suggestions'][number],
  run: SuggestedRun,
  decisionId: number,
  name: string,
): Mismatch[] {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['parameters', parameters[runIndex] ?? null, run.parameters],
    ['sampler', sampler, run.sampler],
    ['detail', detail, run.detail],
  ];
  return pairs.flatMap(([field, own, other]) =>
    canonicalJson(own as JsonValue) === canonicalJson(other as JsonValue)
      ? []
      : [mismatch(decisionId, `${field} of ${name}`, own, other)],
  );
}

function recompute(
  stored: StoredRounds,
  there: StoredRounds['suggestions'],
  decision: RoundDecision,
): readonly SuggestedRun[] | null {
  const { search, parameters, suggestions } = stored;
  const state = stateOf(search, decision.inputs);
  const due = nextAction(search.policy, state);
  // That no round was due is reported by the replay of the decision.
  if (due?.kind !== 'SUGGEST') return null;
  if (due.round === 0) return recomputeFirst(stored, there);
  const count = state.runs.length;
  const samplers = new Map(suggestions.map(({ runIndex, sampler }) => [runIndex, sampler]));
  const input = {
    spec: specOf(stored, there),
    policy: search.policy,
    state,
    parameters: parameters.slice(0, count),
    samplers: Array.from({ length: count }, (_, index) => samplers.get(index) ?? null),
    screened: stored.screened ?? [],
  };
  return suggestRound(input, due);
}

/** Recomputes the first round of a sweep that may have been extended since: with as many runs, and the variants that are among them. */
function recomputeFirst(stored: StoredRounds, there: StoredRounds['suggestions']): readonly SuggestedRun[] {
  const spec = specOf({ ...stored, spec: stored.firstSpec ?? stored.spec }, there);
  const digests = new Set(there.map(({ runIndex }) => digestOf(stored.parameters[runIndex] ?? {})));
  const base = basePoint(spec);
  const variants = spec.variants.filter((variant) => digests.has(pointDigest({ ...base, ...variant }) ?? ''));
  const count = there.length;
  const search = { startupRuns: count, roundRuns: 1, explore: null, pack: true };
  return firstRound({ ...spec, variants, maxRuns: count, search }).runs;
}

/** Returns the spec with the epochs that the runs of a round were given: an extension changes those of later ones. */
function specOf({ spec, parameters }: StoredRounds, there: StoredRounds['suggestions']): SweepSpec {
  const run = parameters[there[0]?.runIndex ?? -1];
  const varied = new Set([...spec.parameters.map(({ name }) => name), ...spec.variants.flatMap(Object.keys)]);
  const names = EXTENDED_NAMES.filter((name) => run?.[name] !== undefined && !varied.has(name));
  const base = Object.fromEntries(names.map((name) => [name, run?.[name] ?? 0]));
  return names.length === 0 ? spec : { ...spec, base: { ...spec.base, ...base } };
}

function mismatch(decisionId: number, field: string, stored: unknown, recomputed: unknown): Mismatch {
  return { decisionId, field, stored, recomputed };
}
