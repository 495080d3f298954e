import { modelCost } from '../../../core/network/model-cost.ts';
import type { Objective } from '../../../core/objective.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import { chooseWinner as choose } from '../../../core/stopping/choose-winner.ts';
import type { Candidate, WinnerVerdict } from '../../../core/stopping/choose-winner.ts';
import { describeWinner } from '../../../core/stopping/describe-winner.ts';
import { DEFAULT_WINNER_RULE } from '../../../core/sweep/finalist-spec.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import { readFinalEvidence } from '../rungs/read-final-evidence.ts';
import { canBeBest, rankKey } from '../run-sql.ts';
import { USABLE_RUNS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Candidates besides the repeated runs: chance does not decide between more. */
const MAX_CANDIDATES = 200;

interface CandidateRow {
  readonly run_id: string;
  readonly run_index: number;
  readonly parameters: Parameters;
  readonly best_value: number;
  readonly class_count: number;
  /** Repetitions by number. */
  readonly repeats: readonly { readonly run_id: string; readonly value: number | null; readonly succeeded: boolean }[];
}

/**
 * Chooses the winner of a locked sweep whose runs have all ended, and stores the choice. One that is stored is kept until the sweep
 * continues.
 *
 * @returns the run that won; null: no run can
 */
export async function chooseWinner(tx: StoreTransaction, sweepId: string, spec: SweepSpec): Promise<string | null> {
  const stored = await tx.query<{ run_id: string }>('SELECT run_id FROM winners WHERE sweep_id = $1', [sweepId]);
  if (stored.rows[0] !== undefined) return stored.rows[0].run_id;
  const rows = await readCandidates(tx, sweepId);
  if (rows.length === 0) return null;
  const { objective, winnerRule = DEFAULT_WINNER_RULE } = spec;
  const verdict = choose(objective, winnerRule, await toCandidates(tx, sweepId, objective, rows));
  const byIndex = new Map(rows.map((row) => [row.run_index, row]));
  const runIdOf = (runIndex: number): string | null => byIndex.get(runIndex)?.run_id ?? null;
  const statements = describeWinner(objective, verdict, (runIndex) =>
    String(byIndex.get(runIndex)?.parameters['backbone'] ?? ''),
  );
  await insertWinner(tx, sweepId, verdict, runIdOf, statements);
  const winner = runIdOf(verdict.winner.runIndex);
  tx.store.log.info({ sweep_id: sweepId, run_id: winner, rule: winnerRule }, 'winner chosen');
  return winner;
}

/** Reads the runs that can win, by rank, with their repetitions. */
async function readCandidates(tx: StoreTransaction, sweepId: string): Promise<CandidateRow[]> {
  const { rows } = await tx.query<CandidateRow>(
    `WITH placed AS (
       SELECT r.run_id, r.run_index, r.parameters, r.best_value, s.dataset_id,
              row_number() OVER (ORDER BY ${rankKey('r', 's')}) AS place
         FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
        WHERE r.sweep_id = $1 AND r.state IN ${USABLE_RUNS} AND ${canBeBest('r', 's')}
     ), repeated AS (
       SELECT p.repeat_of, jsonb_agg(jsonb_build_object(
                'run_id', p.run_id, 'succeeded', p.state = 'SUCCEEDED',
                'value', CASE WHEN p.best_value NOT IN ('NaN', 'Infinity', '-Infinity') THEN p.best_value END)
                ORDER BY p.run_index) AS repeats
         FROM runs p WHERE p.sweep_id = $1 AND p.repeat_of IS NOT NULL GROUP BY p.repeat_of
     )
     SELECT c.run_id, c.run_index, c.parameters, c.best_value, coalesce(cardinality(d.class_names), 0) AS class_count,
            coalesce(q.repeats, '[]') AS repeats
       FROM placed c
       LEFT JOIN repeated q ON q.repeat_of = c.run_id
       LEFT JOIN datasets d ON d.dataset_id = c.dataset_id
      WHERE c.place <= $2 OR q.repeats IS NOT NULL
      ORDER BY c.place`,
    [sweepId, MAX_CANDIDATES],
  );
  return rows;
}

async function toCandidates(
  tx: StoreTransaction,
  sweepId: string,
  { metric }: Objective,
  rows: readonly CandidateRow[],
): Promise<Candidate[]> {
  const trained = rows.map((row) => [
    { run_id: row.run_id, value: row.best_value },
    ...row.repeats.flatMap(({ run_id, value, succeeded }) => (succeeded && value !== null ? [{ run_id, value }] : [])),
  ]);
  const runIds = trained.flat().map((row) => row.run_id);
  const evidence = await readFinalEvidence(tx, sweepId, runIds, metric === 'val_loss');
  return rows.map((row, index): Candidate => ({
    runIndex: row.run_index,
    trainings: (trained[index] ?? []).map(({ run_id: runId, value }) => ({
      value,
      evidence: evidence.get(runId) ?? null,
    })),
    repeatCount: row.repeats.length,
    latencySeconds: null,
    modelBytes: modelCost(compileRunConfig(row.parameters), row.class_count).modelBytes,
  }));
}

async function insertWinner(
  tx: StoreTransaction,
  sweepId: string,
  { winner, best, rule, cheaper, expectedScore, rivalCount }: WinnerVerdict,
  runIdOf: (runIndex: number) => string | null,
  statements: readonly string[],
): Promise<void> {
  await tx.query(
    `INSERT INTO winners (sweep_id, run_id, rule, best_run_id, score, measurement_count, expected_score, rival_count,
                          cheaper_run_id, cheaper_part, cheaper_difference, cheaper_difference_standard_error, statements)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      sweepId,
      runIdOf(winner.runIndex),
      rule,
      runIdOf(best.runIndex),
      winner.score,
      winner.trainings.length,
      expectedScore,
      rivalCount,
      cheaper && runIdOf(cheaper.run.runIndex),
      cheaper?.part ?? null,
      cheaper?.difference.mean ?? null,
      cheaper?.difference.standardError ?? null,
      statements,
    ],
  );
}
