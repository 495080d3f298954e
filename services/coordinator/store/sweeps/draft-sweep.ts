import { digestOf } from '../../../core/digest.ts';
import type { JsonValue } from '../../../core/digest.ts';
import { basePoint } from '../../../core/samplers/baseline.ts';
import { canonicalParameters } from '../../../core/search-space/canonical.ts';
import { runIdOf } from '../../../core/ids.ts';
import { isAdaptive } from '../../../core/samplers/samplers.ts';
import { firstRound } from '../../../core/search-round/first-round.ts';
import type { FirstRound } from '../../../core/search-round/first-round.ts';
import type { SuggestedRun, SuggestionDetail } from '../../../core/search-round/suggestion.ts';
import { omittedDefaults, sampleRuns, variedNames } from '../../../core/samplers/sample-runs.ts';
import { roundNotes } from '../../../core/samplers/round-notes.ts';
import { samplingNotes } from '../../../core/samplers/sampling-notes.ts';
import { searchNotes } from '../../../core/samplers/search-notes.ts';
import { trainingNotes } from '../../../core/samplers/training-notes.ts';
import type { SampledRun } from '../../../core/samplers/sample-runs.ts';
import { extendSpec } from '../../../core/sweep/extend-spec.ts';
import type { SweepExtension } from '../../../core/sweep/extend-spec.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';

/** The content of a new sweep, without its time: the result of all slow computations. */
export interface SweepDraft {
  readonly sweepId: string;
  /** Empty: the request is not idempotent. */
  readonly requestId: string;
  readonly spec: SweepSpec;
  readonly specDigest: string;
  readonly variedNames: readonly string[];
  readonly runCount: number;
  readonly duplicateCount: number;
  /** Number of runs that `max_runs` requests and the search space lacks. */
  readonly missingCount: number;
  /** Notes on properties of the runs that are unexpected from the spec. */
  readonly notes: readonly string[];
  /** Rows of `runs`, each with the defaults that its parameters omit, as JSON arrays of at most `SHARE_RUNS` each. */
  readonly shares: readonly string[];
  /** Rows of `suggestions` for round 0, as a JSON array; null: the strategy has no rounds. */
  readonly firstRound: string | null;
}

/**
 * Most runs of one statement. Prisma's engine is a WebAssembly module, whose memory never shrinks: 10,000 runs in one statement enlarge
 * the coordinator permanently by 60 MB.
 */
const SHARE_RUNS = 500;

/**
 * Samples the runs of a sweep and converts them to their stored form. Takes seconds for 10,000 runs.
 *
 * @param spec without violations
 */
export function draftSweep(sweepId: string, requestId: string, spec: SweepSpec): SweepDraft {
  const first = isAdaptive(spec) ? numbered(firstRound(spec)) : null;
  const sampled = first ?? sampleRuns(spec);
  const { runs, duplicateCount, missingCount } = sampled;
  const varied = variedNames(runs);
  return {
    sweepId,
    requestId,
    spec,
    specDigest: digestOf(spec as unknown as JsonValue),
    variedNames: varied,
    runCount: runs.length,
    duplicateCount,
    missingCount,
    notes: [
      ...roundNotes(spec),
      ...samplingNotes(spec, sampled),
      ...trainingNotes(spec, runs, varied),
      ...searchNotes(spec, runs),
    ],
    shares: sharesOf(runs).map((share) => rowsOf(sweepId, share)),
    firstRound: first && JSON.stringify(first.runs.map((run) => suggestionRow(sweepId, run, run.index))),
  };
}

/** Returns the first round with the numbers of its runs. */
function numbered(
  round: FirstRound,
): Omit<FirstRound, 'runs'> & { readonly runs: readonly (SuggestedRun & SampledRun)[] } {
  return { ...round, runs: round.runs.map((run, index) => ({ ...run, index })) };
}

/** A row of `suggestions` without its round. */
export interface SuggestionRow {
  readonly run_id: string;
  readonly position: number;
  readonly sampler: string;
  readonly detail: SuggestionDetail;
}

/** @param place in its round, from 0 */
export function suggestionRow(
  sweepId: string,
  { index, sampler, detail }: Pick<SuggestedRun, 'sampler' | 'detail'> & { readonly index: number },
  place: number,
): SuggestionRow {
  return { run_id: runIdOf(sweepId, index), position: place + 1, sampler, detail };
}

function sharesOf(runs: readonly SampledRun[]): readonly (readonly SampledRun[])[] {
  const count = Math.ceil(runs.length / SHARE_RUNS);
  return Array.from({ length: count }, (_, index) => runs.slice(index * SHARE_RUNS, (index + 1) * SHARE_RUNS));
}

/** Returns the rows of runs that `INSERT_RUNS` inserts, as JSON. */
export function rowsOf(sweepId: string, runs: readonly SampledRun[]): string {
  const rows = runs.map(({ index, digest, parameters }) => ({
    run_id: runIdOf(sweepId, index),
    run_index: index,
    digest,
    parameters,
    omitted: omittedDefaults(parameters),
  }));
  return JSON.stringify(rows);
}

/** The content of an extension: the spec of the extended sweep and the runs that it adds. */
export interface ExtensionDraft {
  readonly spec: SweepSpec;
  readonly variedNames: readonly string[];
  readonly runCount: number;
  /** Rows of the added runs, as in `SweepDraft`. */
  readonly shares: readonly string[];
}

/**
 * Samples the runs that an extension adds: those that the sweep does not have, numbered after its last one.
 *
 * @param extension without violations
 * @param present spec, digests of the present runs, and the names that vary among them
 */
export function draftExtension(
  sweepId: string,
  extension: SweepExtension,
  present: { readonly spec: SweepSpec; readonly digests: readonly string[]; readonly variedNames: readonly string[] },
): ExtensionDraft {
  const spec = extendSpec(present.spec, extension);
  if (isAdaptive(spec)) return draftVariants(sweepId, spec, present);
  const changed = [
    ...(extension.epochs === null ? [] : ['epochs']),
    ...(extension.fineTuneEpochs === null ? [] : ['fine_tune.epochs']),
  ];
  const known = new Set(present.digests);
  // Draws that started with the defaults continue in the same sequence though variants were added since.
  const hasDefaults = known.has(digestOf(canonicalParameters(basePoint(present.spec))));
  const sampled = sampleRuns(spec, hasDefaults || spec.variants.length === 0).runs;
  // A variant that is a run already leaves its place under the bound free, and no draw was asked for.
  const variants = extension.maxRuns === null && changed.length === 0 ? variantDigests(spec, present.spec) : null;
  const added = sampled
    .filter(({ digest }) => !known.has(digest) && (variants?.has(digest) ?? true))
    .map((run, index) => ({ ...run, index: present.digests.length + index }));
  const names = [...present.variedNames, ...variedNames(sampled), ...(added.length > 0 ? changed : [])];
  return {
    spec,
    variedNames: [...new Set(names)],
    runCount: added.length,
    shares: sharesOf(added).map((share) => rowsOf(sweepId, share)),
  };
}

/**
 * Returns the variants that an extension adds to a sweep whose strategy asks for rounds. Its other runs follow in rounds, up to the new
 * bound.
 */
function draftVariants(
  sweepId: string,
  spec: SweepSpec,
  present: Parameters<typeof draftExtension>[2],
): ExtensionDraft {
  const known = new Set(present.digests);
  const base = basePoint(spec);
  const added = spec.variants.slice(present.spec.variants.length).flatMap((variant): SampledRun[] => {
    const parameters = canonicalParameters({ ...base, ...variant });
    const digest = digestOf(parameters);
    if (known.has(digest)) return [];
    known.add(digest);
    return [{ index: known.size - 1, parameters, digest }];
  });
  const names = [...present.variedNames, ...spec.variants.slice(present.spec.variants.length).flatMap(Object.keys)];
  return {
    spec,
    variedNames: [...new Set(names)],
    runCount: added.length,
    shares: sharesOf(added).map((share) => rowsOf(sweepId, share)),
  };
}

/** Returns the digests of the runs that the variants of an extended spec make. */
function variantDigests(spec: SweepSpec, { variants: known }: SweepSpec): ReadonlySet<string> {
  const base = basePoint(spec);
  const added = spec.variants.slice(known.length);
  return new Set(added.map((variant) => digestOf(canonicalParameters({ ...base, ...variant }))));
}
