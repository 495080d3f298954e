import { targetKey } from '../../../core/stopping/screen/candidate.ts';
import type { StoredRun } from '../planning/stored-plans.ts';
import { readScreen } from '../rungs/read-candidates.ts';
import { endRuns } from '../runs/end-runs.ts';
import type { StoreTransaction } from '../transaction.ts';
import { readTargets } from './read-targets.ts';

/**
 * Returns the added runs of a sweep that can be planned now: none while its screen has not decided, which then plans them too. What a
 * screen has left out stays out: runs of it end. A candidate that no probe has measured is kept: nothing is known against it, and a
 * person has asked for it.
 */
export async function withoutScreened(
  tx: StoreTransaction,
  sweepId: string,
  runs: readonly StoredRun[],
): Promise<readonly StoredRun[]> {
  const { candidates, isDecided } = await readScreen(tx, sweepId);
  if (candidates.length === 0) return runs;
  if (!isDecided) return [];
  const { rows } = await tx.query<{ position: number; reason: string }>(
    'SELECT position, reason FROM probes WHERE sweep_id = $1 AND NOT kept',
    [sweepId],
  );
  const out = new Map(
    rows.flatMap(({ position, reason }) => {
      const candidate = candidates.find((one) => one.position === position);
      return candidate === undefined ? [] : [[targetKey(candidate), reason] as const];
    }),
  );
  const targets = await readTargets(
    tx,
    runs.map(({ runId }) => runId),
  );
  const kept: StoredRun[] = [];
  for (const run of runs) {
    const reason = out.get(targets.get(run.runId) ?? '');
    if (reason === undefined) kept.push(run);
    else await endRuns(tx, [run.runId], { to: 'STOPPED', reason, cause: 'SCREENED' });
  }
  return kept;
}
