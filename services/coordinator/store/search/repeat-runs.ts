import { digestOf } from '../../../core/digest.ts';
import { runIdOf } from '../../../core/ids.ts';
import { repeatParameters } from '../../../core/samplers/repeat-parameters.ts';
import type { SampledRun } from '../../../core/samplers/sample-runs.ts';
import type { Repetition } from '../../../core/stopping/action.ts';
import type { Parameters } from '../../../core/sweep/sweep-spec.ts';
import { rowsOf } from '../sweeps/draft-sweep.ts';
import { INSERT_RUNS, INTEGER_NAMES } from '../sweeps/insert-runs.ts';
import { extendPlan } from '../sweeps/write-plan.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Inserts the runs that repeat finalists with the next seeds, and plans them as an extension's: with stored features, and in one group
 * where they share each batch. They come to no rung, so that they train to their end without a pause.
 *
 * @param repetitions decided in this transaction
 */
export async function repeatRuns(
  tx: StoreTransaction,
  sweepId: string,
  repetitions: readonly Repetition[],
): Promise<void> {
  tx.addStep('repeat');
  const { rows } = await tx.query<{ run_id: string; run_index: number; digest: string; parameters: Parameters | null }>(
    `SELECT run_id, run_index, parameters_digest AS digest, CASE WHEN run_index = ANY($2) THEN parameters END AS parameters
       FROM runs WHERE sweep_id = $1 ORDER BY run_index`,
    [sweepId, repetitions.map(({ runIndex }) => runIndex)],
  );
  const known = new Set(rows.map(({ digest }) => digest));
  const first = rows.length;
  const added: (SampledRun & { readonly repeatOf: string; readonly reason: string })[] = [];
  for (const { runIndex, seeds, reason } of repetitions) {
    const original = rows[runIndex];
    if (original === undefined || original.parameters === null)
      throw new Error(`There is no run ${runIndex} of ${sweepId}.`);
    for (const { parameters, digest } of nextSeeds(original.parameters, seeds - 1, known)) {
      known.add(digest);
      added.push({ index: first + added.length, parameters, digest, repeatOf: original.run_id, reason });
    }
  }
  await tx.query(INSERT_RUNS, [sweepId, rowsOf(sweepId, added), INTEGER_NAMES]);
  const runIds = added.map(({ index }) => runIdOf(sweepId, index));
  await tx.query(
    `UPDATE runs r SET repeat_of = n.repeat_of
       FROM unnest($1::text[], $2::text[]) AS n (run_id, repeat_of) WHERE r.run_id = n.run_id`,
    [runIds, added.map(({ repeatOf }) => repeatOf)],
  );
  for (const { index, repeatOf, reason } of added) {
    const runId = runIdOf(sweepId, index);
    tx.emit(sweepId, {
      kind: 'RUN_STATE',
      runId,
      state: 'QUEUED',
      stage: 'INDEX',
      reason: `repeats ${repeatOf}, ${reason}`,
    });
  }
  tx.mirror(sweepId, { kind: 'SWEEP' });
  await extendPlan(tx, sweepId, runIds);
}

/** Returns the next trainings of a run with other seeds. A seed that a person has added as a run is passed over. */
function nextSeeds(
  parameters: Parameters,
  count: number,
  known: ReadonlySet<string>,
): { readonly parameters: Parameters; readonly digest: string }[] {
  const next: { parameters: Parameters; digest: string }[] = [];
  for (let offset = 1; next.length < count; offset++) {
    const repeated = repeatParameters(parameters, offset);
    const digest = digestOf(repeated);
    if (!known.has(digest)) next.push({ parameters: repeated, digest });
  }
  return next;
}
