import type { Objective } from '../../../core/objective.ts';
import { lockRetention } from '../checkpoints/lock-retention.ts';
import { addRunMove } from '../move-runs.ts';
import type { IdentifiedRun } from '../planning/stored-plans.ts';
import { summarizeRuns } from '../runs/summarize-runs.ts';
import type { StoreTransaction } from '../transaction.ts';
import { findReusableHeads, findReusableResults } from './find-reusable.ts';
import type { ReusableRun } from './find-reusable.ts';

export interface Reused {
  /** Run of another sweep that has trained the result, by the run that took it and needs no training. */
  readonly results: ReadonlyMap<string, string>;
  /** Run that has trained the head, by the run that fine-tunes it: of another sweep, or of this one before it was extended. */
  readonly heads: ReadonlyMap<string, string>;
}

/** Stores the identity of each run's training, by which later sweeps find its result. */
export async function recordDigests(tx: StoreTransaction, runs: readonly IdentifiedRun[]): Promise<void> {
  await tx.query(
    `UPDATE runs r SET result_digest = d.result_digest, head_digest = d.head_digest
       FROM unnest($1::text[], $2::text[], $3::text[]) AS d (run_id, result_digest, head_digest)
      WHERE r.run_id = d.run_id`,
    [runs.map(({ runId }) => runId), runs.map((run) => run.resultDigest), runs.map((run) => run.headDigest)],
  );
}

/**
 * Gives runs of a sweep that is being planned the results that other sweeps have trained. Such a run is SUCCEEDED without a task; its
 * metrics and checkpoints remain those of the run that trained it (`runs.reused_run_id`). Of fine-tuned runs without a result, the head
 * alone may be trained already. The caller has locked the sweep.
 *
 * @param withHeads false: heads alone are trained again
 * @param withOwn true: heads that the sweep itself has trained count too, because the runs extend it
 */
export async function reuseResults(
  tx: StoreTransaction,
  sweepId: string,
  objective: Objective,
  runs: readonly IdentifiedRun[],
  { withHeads, withOwn }: { readonly withHeads: boolean; readonly withOwn: boolean },
): Promise<Reused> {
  // What is found stays: retention sees the references before it marks files.
  await lockRetention(tx, 'shared');
  const results = await findReusableResults(tx, { digests: runs.map((run) => run.resultDigest), objective, sweepId });
  const left = runs.filter((run) => !results.has(run.resultDigest));
  const tuned = left.filter((run) => withHeads && run.isFineTuned && run.headDigest !== null);
  const heads = await findReusableHeads(tx, {
    digests: tuned.flatMap((run) => run.headDigest ?? []),
    objective,
    sweepId: withOwn ? null : sweepId,
  });
  const kept = await lockSources(tx, [...results.values(), ...heads.values()]);
  const taken = matchesOf(runs, kept, (run) => results.get(run.resultDigest));
  await takeResults(tx, taken);
  const started = matchesOf(tuned, kept, ({ headDigest }) => (headDigest === null ? undefined : heads.get(headDigest)));
  await takeHeads(tx, started);
  if (tx.store.isMirrored) await mirrorCurves(tx, sweepId, [...taken, ...started]);
  return { results: sourcesOf(taken), heads: sourcesOf(started) };
}

function sourcesOf(matches: readonly Match[]): ReadonlyMap<string, string> {
  return new Map(matches.map(({ runId, source }) => [runId, source.runId]));
}

interface Match {
  readonly runId: string;
  readonly source: ReusableRun;
}

function matchesOf(
  runs: readonly IdentifiedRun[],
  kept: ReadonlySet<string>,
  sourceOf: (run: IdentifiedRun) => ReusableRun | undefined,
): Match[] {
  return runs.flatMap((run) => {
    const source = sourceOf(run);
    return source !== undefined && kept.has(source.runId) ? [{ runId: run.runId, source }] : [];
  });
}

/** Keeps the runs from being deleted until the references to them are committed. @returns those that still exist */
async function lockSources(tx: StoreTransaction, sources: readonly ReusableRun[]): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT run_id FROM runs WHERE run_id = ANY($1) ORDER BY run_id FOR KEY SHARE',
    [[...new Set(sources.map(({ runId }) => runId))]],
  );
  return new Set(rows.map(({ run_id }) => run_id));
}

async function takeResults(tx: StoreTransaction, matches: readonly Match[]): Promise<void> {
  if (matches.length === 0) return;
  const runIds = matches.map(({ runId }) => runId);
  await tx.query(
    `UPDATE runs r SET reused_run_id = o.run_id, stage = o.stage, epoch_limit = o.epoch_limit
       FROM unnest($1::text[], $2::text[]) AS taken (run_id, reused_run_id)
       JOIN runs o ON o.run_id = taken.reused_run_id
      WHERE r.run_id = taken.run_id`,
    [runIds, matches.map(({ source }) => source.runId)],
  );
  await summarizeRuns(tx, runIds);
  const batch = tx.batch();
  for (const { runId, source } of matches.toSorted((a, b) => (a.runId < b.runId ? -1 : 1))) {
    const reason = `taken from run ${source.runIndex} of sweep ${source.sweepId}`;
    addRunMove(tx, batch, [runId], { to: 'SUCCEEDED', reason, cause: 'REUSED' });
  }
  await batch.send();
}

/** Records whose head the runs start from; their summaries begin with it. */
async function takeHeads(tx: StoreTransaction, matches: readonly Match[]): Promise<void> {
  if (matches.length === 0) return;
  const runIds = matches.map(({ runId }) => runId);
  await tx.query(
    `UPDATE runs r SET head_run_id = h.head_run_id
       FROM unnest($1::text[], $2::text[]) AS h (run_id, head_run_id) WHERE r.run_id = h.run_id`,
    [runIds, matches.map(({ source }) => source.runId)],
  );
  await summarizeRuns(tx, runIds);
}

/** Mirrors the curves for each run that took them, because MLflow has no views. */
async function mirrorCurves(tx: StoreTransaction, sweepId: string, matches: readonly Match[]): Promise<void> {
  const { rows } = await tx.query<{
    run_id: string;
    stage: 'HEAD' | 'FINE_TUNE';
    lease_epoch: number;
    epochs: number[];
  }>(
    `SELECT u.run_id, m.stage, m.lease_epoch, array_agg(DISTINCT m.epoch ORDER BY m.epoch) AS epochs
       FROM runs u
       JOIN runs o ON o.run_id = coalesce(u.reused_run_id, u.run_id)
       JOIN epoch_metrics m
         ON m.superseded_by IS NULL AND (m.run_id = u.reused_run_id OR m.run_id = o.head_run_id AND m.stage = 'HEAD')
      WHERE u.run_id = ANY($1)
      GROUP BY u.run_id, m.stage, m.lease_epoch ORDER BY u.run_id, m.stage, m.lease_epoch`,
    [matches.map(({ runId }) => runId)],
  );
  for (const { run_id: runId, stage, lease_epoch: leaseEpoch, epochs } of rows) {
    tx.mirror(sweepId, { kind: 'METRICS', runId, stage, leaseEpoch, epochs });
  }
}
