import { MetricConflictError } from '../../../core/errors.ts';
import type { Answer, Batch } from '../../../platform/db/batch.ts';
import { float8Array, int4Array, textArray } from '../../../platform/db/binary-array.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { EpochReport } from './metric-batch.ts';

/** A report with the lease under which it arrived. */
export interface FencedReport {
  readonly task: FencedTask;
  readonly report: EpochReport;
}

/**
 * Ways to insert rows. Both have the same result, at different costs: ON CONFLICT takes 15 instead of 10 µs a row, and it is needed only
 * when a key exists, which the sequence numbers all but exclude.
 */
export type InsertMode =
  /** An existing key is an error that aborts the transaction. */
  | 'EXPECT_NEW'
  /** An existing key with the same value is skipped. */
  | 'COMPARE';

/**
 * Sends a batch together with the statements that insert metrics. Rows of an earlier attempt with the same keys are superseded first,
 * from whatever epoch the trainer resumed: an epoch counts once (unique index epoch_metrics_surviving_key).
 *
 * @returns the runs of which a row was superseded.
 * @throws MetricConflictError with COMPARE
 */
export async function insertMetrics(
  tx: StoreTransaction,
  batch: Batch,
  reports: readonly FencedReport[],
  mode: InsertMode,
): Promise<ReadonlySet<string>> {
  const later = reports.filter(({ task }) => task.leaseEpoch > 1);
  const superseded = later.length === 0 ? null : addSuperseding(batch, later);
  const inserts = groupByNames(reports).map((group) => addInsert(batch, group, mode));
  await batch.send();
  for (const { answer, parameters, rowCount } of inserts) {
    if (answer.rowCount !== rowCount) await checkConflicts(tx, parameters);
  }
  return new Set(superseded?.rows.map(({ run_id }) => run_id));
}

/** One probe per epoch instead of one per row: hardly ever is a row found, because the lease has superseded it before. */
function addSuperseding(batch: Batch, reports: readonly FencedReport[]): Answer<{ run_id: string }> {
  return batch.query<{ run_id: string }>(
    `UPDATE epoch_metrics m SET superseded_by = b.lease_epoch
       FROM unnest($1::text[], $2::text[], $3::int[], $4::int[]) AS b (run_id, stage, epoch, lease_epoch)
      WHERE m.run_id = b.run_id AND m.stage = b.stage AND m.epoch = b.epoch
        AND m.lease_epoch < b.lease_epoch AND m.superseded_by IS NULL
      RETURNING m.run_id`,
    [
      textArray(reports.map(({ report }) => report.runId)),
      textArray(reports.map(({ task }) => task.stage)),
      int4Array(reports.map(({ report }) => report.epoch)),
      int4Array(reports.map(({ task }) => task.leaseEpoch)),
    ],
  );
}

interface NamesGroup {
  readonly names: readonly string[];
  readonly reports: FencedReport[];
}

/** Groups reports by their metric names, which are sent once per group. Nearly always all reports have the same names. */
function groupByNames(reports: readonly FencedReport[]): NamesGroup[] {
  const groups = new Map<string, NamesGroup>();
  for (const fenced of reports) {
    const { names } = fenced.report;
    if (names.length === 0) continue;
    // Names contain no U+0000.
    const key = names.join('\0');
    const group = groups.get(key);
    if (group) group.reports.push(fenced);
    else groups.set(key, { names, reports: [fenced] });
  }
  return [...groups.values()];
}

/**
 * The rows of a group: report by report, name by name. Joined by ordinality with hash joins, because subscripting a `text[]` scans
 * it.
 */
const ROWS = `
  unnest($1::text[], $2::int[], $3::int[]) WITH ORDINALITY AS r (run_id, epoch, task, place)
  JOIN unnest($4::text[], $5::text[], $6::int[]) WITH ORDINALITY AS t (task_id, stage, lease_epoch, place)
    ON t.place = r.task
  JOIN unnest($7::float8[]) WITH ORDINALITY AS v (value, place) ON r.place = (v.place - 1) / $8::int + 1
  JOIN unnest($9::text[]) WITH ORDINALITY AS n (name, place) ON n.place = (v.place - 1) % $8::int + 1`;

const SMALL_INSERT = 64;

interface Insert {
  readonly answer: Answer<never>;
  readonly parameters: readonly unknown[];
  /** Rows that are inserted unless some were there already. */
  readonly rowCount: number;
}

function addInsert(batch: Batch, { names, reports }: NamesGroup, mode: InsertMode): Insert {
  const tasks = [...new Set(reports.map(({ task }) => task))];
  const taskPlaces = new Map(tasks.map((task, index) => [task, index + 1]));
  const values = reports.flatMap(({ report }) => report.values);
  const parameters = [
    textArray(reports.map(({ report }) => report.runId)),
    int4Array(reports.map(({ report }) => report.epoch)),
    int4Array(reports.map(({ task }) => taskPlaces.get(task) ?? 0)),
    textArray(tasks.map(({ taskId }) => taskId)),
    textArray(tasks.map(({ stage }) => stage)),
    int4Array(tasks.map(({ leaseEpoch }) => leaseEpoch)),
    float8Array(values),
    names.length,
    textArray(names),
  ];
  const text = `INSERT INTO epoch_metrics (run_id, stage, epoch, name, lease_epoch, task_id, value)
     SELECT r.run_id, t.stage, r.epoch, n.name, t.lease_epoch, t.task_id, v.value
       FROM ${ROWS}
     ${mode === 'COMPARE' ? 'ON CONFLICT DO NOTHING' : ''}`;
  // A cached plan for few rows is wrong for thousands; for few rows planning would take longer than execution.
  const isSmall = values.length <= SMALL_INSERT;
  const answer = isSmall ? batch.prepared<never>(text, parameters) : batch.query<never>(text, parameters);
  return { answer, parameters, rowCount: values.length };
}

async function checkConflicts(tx: StoreTransaction, parameters: readonly unknown[]): Promise<void> {
  const { rows } = await tx.query<{ run_id: string; name: string; epoch: number; stored: number; received: number }>(
    `SELECT r.run_id, n.name, r.epoch, m.value AS stored, v.value AS received
       FROM ${ROWS}
       JOIN epoch_metrics m
         ON m.run_id = r.run_id AND m.stage = t.stage AND m.epoch = r.epoch AND m.name = n.name
        AND m.lease_epoch = t.lease_epoch
      WHERE m.value IS DISTINCT FROM v.value
      LIMIT 1`,
    parameters,
  );
  const row = rows[0];
  if (row) throw new MetricConflictError(row.run_id, row.name, row.epoch, row.stored, row.received);
}
