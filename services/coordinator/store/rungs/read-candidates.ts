import type { ScreenCandidate } from '../../../core/stopping/screen/candidate.ts';
import { LIVE_TASKS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

/** The candidates of a sweep's screen, with what their probes have brought. */
export interface StoredScreen {
  /** Candidates by position. */
  readonly candidates: readonly ScreenCandidate[];
  /** Probes that have not ended. */
  readonly openCount: number;
  readonly isDecided: boolean;
}

interface ProbeRow {
  readonly position: number;
  readonly backbone: string;
  readonly weights: string;
  readonly cut: string | null;
  readonly image_size: number;
  readonly pooling: 'avg' | 'max';
  readonly image_count: number;
  readonly feature_seconds: number;
  readonly is_baseline: boolean;
  readonly correct: Buffer | null;
  readonly log_me: number | null;
  readonly kept: boolean | null;
  readonly is_open: boolean;
  readonly failure: string | null;
}

/** Reads the screen of a sweep; it has no candidates where the sweep has none. */
export async function readScreen(tx: Pick<StoreTransaction, 'query'>, sweepId: string): Promise<StoredScreen> {
  const { rows } = await tx.query<ProbeRow>(
    `SELECT p.position, p.backbone, p.weights, p.cut, p.image_size, p.pooling,
            p.train_image_count + p.validation_image_count AS image_count, p.feature_seconds, p.is_baseline, p.correct, p.log_me,
            p.kept, t.state IN ${LIVE_TASKS} AS is_open,
            (SELECT a.message FROM attempts a WHERE a.task_id = t.task_id ORDER BY a.lease_epoch DESC LIMIT 1) AS failure
       FROM probes p JOIN tasks t ON t.task_id = p.task_id
      WHERE p.sweep_id = $1 ORDER BY p.position`,
    [sweepId],
  );
  return {
    candidates: rows.map(toCandidate),
    openCount: rows.filter((row) => row.is_open).length,
    isDecided: rows.some(({ kept }) => kept !== null),
  };
}

function toCandidate(row: ProbeRow): ScreenCandidate {
  const { position, backbone, weights, cut, pooling, correct, log_me: logMe } = row;
  const hasResult = correct !== null && logMe !== null;
  return {
    position,
    backbone,
    weights,
    cut,
    imageSize: row.image_size,
    pooling,
    seconds: row.feature_seconds,
    isBaseline: row.is_baseline,
    evidence: hasResult ? { correct, count: row.image_count, logMe } : null,
    failure: hasResult || row.is_open ? null : (row.failure ?? 'its probe was cancelled'),
  };
}
