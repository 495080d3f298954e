import type { CheckpointKind, Stage } from './task.ts';

/** What the name of a checkpoint's file tells. */
export interface CheckpointFile {
  readonly runId: string;
  readonly stage: Stage;
  /** Epochs done. */
  readonly epoch: number;
  readonly kind: CheckpointKind;
  /** Of the attempt that wrote it, so that attempts never overwrite one another's files. */
  readonly leaseEpoch: number;
}

/** Place of a checkpoint in the artifact store. @param stepInEpoch steps done of the epoch after `epoch` */
export function checkpointUri(file: CheckpointFile, stepInEpoch: number): string {
  const [start, end] = partsOf(file);
  return `${start}${String(stepInEpoch).padStart(5, '0')}${end}`;
}

/** Whether a place is that of such a checkpoint, saved after whatever step of its epoch. */
export function isCheckpointUri(uri: string, file: CheckpointFile): boolean {
  const [start, end] = partsOf(file);
  if (!uri.startsWith(start) || !uri.endsWith(end)) return false;
  return /^\d{5,10}$/.test(uri.slice(start.length, -end.length));
}

function partsOf({ runId, stage, epoch, kind, leaseEpoch }: CheckpointFile): readonly [string, string] {
  const stageName = stage === 'FINE_TUNE' ? 'fine-tune' : stage.toLowerCase();
  const start = `checkpoints/${runId}/${stageName}-${String(epoch).padStart(4, '0')}-`;
  return [start, `-${kind.toLowerCase()}-${leaseEpoch}.safetensors`];
}
