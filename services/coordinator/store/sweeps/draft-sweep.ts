import { digestOf } from '../../../core/digest.ts';
import type { JsonValue } from '../../../core/digest.ts';
import { runIdOf } from '../../../core/ids.ts';
import { omittedDefaults, sampleRuns, variedNames } from '../../../core/samplers/sample-runs.ts';
import { samplingNotes } from '../../../core/samplers/sampling-notes.ts';
import { searchNotes } from '../../../core/samplers/search-notes.ts';
import { trainingNotes } from '../../../core/samplers/training-notes.ts';
import type { SampledRun } from '../../../core/samplers/sample-runs.ts';
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
  const sampled = sampleRuns(spec);
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
    notes: [...samplingNotes(spec, sampled), ...trainingNotes(spec, runs, varied), ...searchNotes(spec, runs)],
    shares: sharesOf(runs).map((share) => rowsOf(sweepId, share)),
  };
}

function sharesOf(runs: readonly SampledRun[]): readonly (readonly SampledRun[])[] {
  const count = Math.ceil(runs.length / SHARE_RUNS);
  return Array.from({ length: count }, (_, index) => runs.slice(index * SHARE_RUNS, (index + 1) * SHARE_RUNS));
}

function rowsOf(sweepId: string, runs: readonly SampledRun[]): string {
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
 * @param spec of the extended sweep, without violations
 * @param present digests and number of the present runs, and the names that vary among them
 */
export function draftExtension(
  sweepId: string,
  spec: SweepSpec,
  present: {
    readonly digests: readonly string[];
    readonly variedNames: readonly string[];
    readonly changed: readonly string[];
  },
): ExtensionDraft {
  const known = new Set(present.digests);
  const sampled = sampleRuns(spec).runs;
  const added = sampled
    .filter(({ digest }) => !known.has(digest))
    .map((run, index) => ({ ...run, index: present.digests.length + index }));
  const names = [...present.variedNames, ...variedNames(sampled), ...(added.length > 0 ? present.changed : [])];
  return {
    spec,
    variedNames: [...new Set(names)],
    runCount: added.length,
    shares: sharesOf(added).map((share) => rowsOf(sweepId, share)),
  };
}
