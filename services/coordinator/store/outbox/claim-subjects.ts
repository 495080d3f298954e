import type { Pool } from 'pg';

/** The MLflow run of a subject. */
export interface MirrorPlace {
  readonly experimentId: string;
  readonly mlflowRunId: string;
  readonly artifactUri: string;
}

/** A sweep or run with pending entries, claimed by one sender for a limited time. */
export interface Subject {
  readonly subjectId: string;
  readonly sweepId: string;
  /** null: the sweep itself. */
  readonly runId: string | null;
  readonly claimEpoch: number;
  /** null: it has no MLflow run on this server yet. */
  readonly place: MirrorPlace | null;
  /** The MLflow run of a run's sweep. */
  readonly parent: MirrorPlace | null;
  readonly isDescribed: boolean;
  /** True if notes of the run were sent as its description. */
  readonly hadNotes: boolean;
  readonly failureCount: number;
}

interface SubjectRow {
  readonly subject_id: string;
  readonly sweep_id: string;
  readonly run_id: string | null;
  readonly claim_epoch: number;
  readonly is_placed: boolean;
  readonly experiment_id: string | null;
  readonly mlflow_run_id: string | null;
  readonly artifact_uri: string | null;
  readonly described: boolean;
  readonly notes_sent: boolean;
  readonly failure_count: number;
  readonly parent_experiment_id: string | null;
  readonly parent_mlflow_run_id: string | null;
  readonly parent_artifact_uri: string | null;
}

/**
 * Inserts the missing rows of subjects with entries, and an entry for each sweep of theirs that has none: a sweep created before the
 * mirror was switched on.
 */
export async function adoptSubjects(pool: Pool): Promise<void> {
  await pool.query(
    `WITH subjects AS (
       SELECT DISTINCT o.sweep_id, o.run_id FROM outbox o WHERE o.dead_time IS NULL
     ), adopted AS (
       INSERT INTO mlflow_runs (subject_id, sweep_id, run_id)
       SELECT coalesce(s.run_id, s.sweep_id), s.sweep_id, s.run_id
         FROM (SELECT sweep_id, run_id FROM subjects UNION SELECT sweep_id, NULL FROM subjects) s
        WHERE NOT EXISTS (SELECT 1 FROM mlflow_runs m WHERE m.subject_id = coalesce(s.run_id, s.sweep_id))
           ON CONFLICT DO NOTHING
       RETURNING sweep_id, run_id
     )
     INSERT INTO outbox (sweep_id, kind)
     SELECT a.sweep_id, 'SWEEP' FROM adopted a
      WHERE a.run_id IS NULL
        AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.sweep_id = a.sweep_id AND o.kind = 'SWEEP')`,
  );
}

/**
 * Claims subjects that are due, the longest waiting first. A run is claimed only when its sweep, below which it is nested, is on the
 * server. No other sender gets them until the claim ends.
 */
export async function claimSubjects(
  pool: Pool,
  trackingUri: string,
  limit: number,
  claimMs: number,
): Promise<Subject[]> {
  const { rows } = await pool.query<SubjectRow>(
    `UPDATE mlflow_runs m
        SET claim_epoch = m.claim_epoch + 1, claim_expire_time = now() + $3 * interval '1 millisecond'
       FROM (SELECT c.subject_id, p.experiment_id, p.mlflow_run_id, p.artifact_uri
               FROM mlflow_runs c
               LEFT JOIN mlflow_runs p ON p.subject_id = c.sweep_id AND c.run_id IS NOT NULL
              WHERE c.subject_id IN (SELECT coalesce(o.run_id, o.sweep_id) FROM outbox o WHERE o.dead_time IS NULL)
                AND c.next_try_time <= now()
                AND (c.claim_expire_time IS NULL OR c.claim_expire_time <= now())
                AND (c.run_id IS NULL OR p.tracking_uri = $1)
              ORDER BY c.next_try_time, c.subject_id
              LIMIT $2
                FOR NO KEY UPDATE OF c SKIP LOCKED) due
      WHERE m.subject_id = due.subject_id
     RETURNING m.subject_id, m.sweep_id, m.run_id, m.claim_epoch, m.tracking_uri IS NOT DISTINCT FROM $1 AS is_placed,
               m.experiment_id, m.mlflow_run_id, m.artifact_uri, m.described, m.notes_sent, m.failure_count,
               due.experiment_id AS parent_experiment_id, due.mlflow_run_id AS parent_mlflow_run_id,
               due.artifact_uri AS parent_artifact_uri`,
    [trackingUri, limit, claimMs],
  );
  return rows.map(toSubject);
}

function toSubject(row: SubjectRow): Subject {
  const place = row.is_placed ? toPlace(row.experiment_id, row.mlflow_run_id, row.artifact_uri) : null;
  return {
    subjectId: row.subject_id,
    sweepId: row.sweep_id,
    runId: row.run_id,
    claimEpoch: row.claim_epoch,
    place,
    parent: toPlace(row.parent_experiment_id, row.parent_mlflow_run_id, row.parent_artifact_uri),
    isDescribed: place !== null && row.described,
    hadNotes: row.notes_sent,
    failureCount: row.failure_count,
  };
}

function toPlace(
  experimentId: string | null,
  mlflowRunId: string | null,
  artifactUri: string | null,
): MirrorPlace | null {
  if (experimentId === null || mlflowRunId === null || artifactUri === null) return null;
  return { experimentId, mlflowRunId, artifactUri };
}

/** Another sender has taken the subject; this one must send nothing more for it. */
export class ClaimLostError extends Error {
  override readonly name = 'ClaimLostError';

  constructor(subject: Subject) {
    super(`Claim ${subject.claimEpoch} of ${subject.subjectId} has ended; another sender has it now.`);
  }
}

/**
 * Extends the claim by `claimMs`. Called before every request, so that a sender that was suspended finds out before it writes.
 *
 * @throws ClaimLostError
 */
export async function renewClaim(pool: Pool, subject: Subject, claimMs: number): Promise<void> {
  const { rowCount } = await pool.query(
    `UPDATE mlflow_runs SET claim_expire_time = now() + $3 * interval '1 millisecond'
      WHERE subject_id = $1 AND claim_epoch = $2`,
    [subject.subjectId, subject.claimEpoch, claimMs],
  );
  if (rowCount !== 1) throw new ClaimLostError(subject);
}

/** Records the subject's MLflow run. */
export async function recordPlace(
  pool: Pool,
  subject: Subject,
  trackingUri: string,
  place: MirrorPlace,
): Promise<void> {
  await pool.query(
    `UPDATE mlflow_runs
        SET tracking_uri = $3, experiment_id = $4, mlflow_run_id = $5, artifact_uri = $6, described = false
      WHERE subject_id = $1 AND claim_epoch = $2`,
    [subject.subjectId, subject.claimEpoch, trackingUri, place.experimentId, place.mlflowRunId, place.artifactUri],
  );
}

/** Records that parameters and data set input were sent or refused. */
export async function recordDescribed(pool: Pool, subject: Subject): Promise<void> {
  await pool.query('UPDATE mlflow_runs SET described = true WHERE subject_id = $1 AND claim_epoch = $2', [
    subject.subjectId,
    subject.claimEpoch,
  ]);
}

/** Records whether notes of the run are its description in MLflow. */
export async function recordNotes(pool: Pool, subject: Subject, areSent: boolean): Promise<void> {
  await pool.query('UPDATE mlflow_runs SET notes_sent = $3 WHERE subject_id = $1 AND claim_epoch = $2', [
    subject.subjectId,
    subject.claimEpoch,
    areSent,
  ]);
}

/** Returns the MLflow run of a run, and whether the run has pending entries. */
export async function findRunPlace(
  pool: Pool,
  trackingUri: string,
  runId: string,
): Promise<{ readonly place: MirrorPlace | null; readonly isPending: boolean }> {
  const { rows } = await pool.query<{
    experiment_id: string | null;
    mlflow_run_id: string | null;
    artifact_uri: string | null;
    is_pending: boolean;
  }>(
    `SELECT m.experiment_id, m.mlflow_run_id, m.artifact_uri,
            EXISTS (SELECT 1 FROM outbox o WHERE coalesce(o.run_id, o.sweep_id) = $2 AND o.dead_time IS NULL) AS is_pending
       FROM (SELECT 1) one LEFT JOIN mlflow_runs m ON m.subject_id = $2 AND m.tracking_uri = $1`,
    [trackingUri, runId],
  );
  const row = rows[0];
  if (!row) return { place: null, isPending: false };
  return { place: toPlace(row.experiment_id, row.mlflow_run_id, row.artifact_uri), isPending: row.is_pending };
}
