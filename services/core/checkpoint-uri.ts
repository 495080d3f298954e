import type { CheckpointKind, Stage } from './task.ts';

/** Facts that the name of a checkpoint file encodes. */
export interface CheckpointFile {
  readonly runId: string;
  readonly stage: Stage;
  /** Completed epochs. */
  readonly epoch: number;
  readonly kind: CheckpointKind;
  /** Lease epoch of the attempt that wrote it, so that attempts never overwrite each other's files. */
  readonly leaseEpoch: number;
}

/** Returns the URI of a checkpoint in the artifact store. @param stepInEpoch completed steps of the epoch after `epoch` */
export function checkpointUri(file: CheckpointFile, stepInEpoch: number): string {
  const [start, end] = partsOf(file);
  return `${start}${String(stepInEpoch).padStart(5, '0')}${end}`;
}

/** Returns whether a URI is that of such a checkpoint, saved after any step of its epoch. */
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
