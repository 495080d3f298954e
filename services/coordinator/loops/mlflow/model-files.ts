import { cutText, MLFLOW_LIMITS } from '../../../platform/mlflow/limits.ts';
import type { MirrorPlace } from '../../store/outbox/claim-subjects.ts';
import type { Winner } from '../../store/outbox/find-winner.ts';
import type { MirroredSweep } from '../../store/outbox/read-mirrored.ts';
import type { SummaryRow } from '../../store/outbox/read-summary.ts';
import { sweepName } from './mapping.ts';

/**
 * Returns the `MLmodel` file that makes a folder a model to MLflow, as JSON, which is YAML. The flavour is Graft's own: the folder
 * holds trained tensors, which `graft checkpoint export` turns into Keras.
 */
export function describeModel(winner: Winner, place: MirrorPlace, folder: string): string {
  const model = {
    artifact_path: folder,
    run_id: place.mlflowRunId,
    utc_time_created: new Date(winner.timeMs).toISOString().replace('T', ' ').replace('Z', ''),
    flavors: {
      graft: {
        data: 'checkpoint.safetensors',
        format: 'safetensors',
        run_id: winner.runId,
        checkpoint_id: winner.checkpointId,
        stage: winner.stage,
        epoch: winner.epoch,
        sha256: winner.sha256,
        size_bytes: winner.sizeBytes,
      },
    },
  };
  return `${JSON.stringify(model, null, 2)}\n`;
}

/** Returns the sweep in Markdown, which MLflow shows as the description of the parent run. */
export function describeSummary(sweep: MirroredSweep, rows: readonly SummaryRow[]): string {
  const reason = sweep.stateReason === '' ? '' : `: ${sweep.stateReason}`;
  const title = `**${sweepName(sweep)}** ${sweep.state}${reason}`;
  if (rows.length === 0) return cutText(title, MLFLOW_LIMITS.tagValueLength);
  const lines = rows.map((row) => {
    const test =
      row.testAccuracy === null
        ? ''
        : `${percent(row.testAccuracy)} (${percent(row.testAccuracyLow)} to ${percent(row.testAccuracyHigh)})`;
    return `| ${row.rank} | ${row.runId} | ${row.bestValue?.toFixed(4) ?? ''} | ${row.bestEpoch ?? ''} | ${test} |`;
  });
  const table = ['| rank | run | best | epoch | test accuracy, 95 % interval |', '|---|---|---|---|---|', ...lines];
  return cutText([title, '', `Ranked by ${sweep.objective}.`, '', ...table].join('\n'), MLFLOW_LIMITS.tagValueLength);
}

function percent(value: number | null): string {
  return value === null ? '' : `${(100 * value).toFixed(1)} %`;
}
