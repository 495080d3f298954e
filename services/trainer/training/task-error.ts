import type { DatasetProblem } from '../../core/dataset.ts';
import type { ErrorClass, TaskError } from '../../core/task.ts';
import { machineErrorOf } from './machine-error.ts';
import type { TaskPlaces } from './machine-error.ts';
import { DatasetInvalidError } from '../data/index-dataset.ts';

/** Stored files that an attempt found missing or damaged. They are recomputed, and the failure is not counted. */
export type StoredDamage = Pick<TaskError, 'missingFeatureKeys' | 'manifestDamaged' | 'damagedCheckpointIds'>;

/** Thrown where the class of an error is known. */
export class TaskFailureError extends Error {
  override readonly name = 'TaskFailureError';
  readonly errorClass: ErrorClass;
  /** Error code, such as DATASET_INVALID. */
  readonly code: string;
  readonly datasetProblems: readonly DatasetProblem[];
  readonly damage: StoredDamage;

  constructor(
    errorClass: ErrorClass,
    code: string,
    message: string,
    details: { readonly datasetProblems?: readonly DatasetProblem[]; readonly damage?: StoredDamage } = {},
  ) {
    super(message);
    const { datasetProblems = [], damage = {} } = details;
    this.errorClass = errorClass;
    this.code = code;
    this.datasetProblems = datasetProblems;
    this.damage = damage;
  }
}

/** Returns an error about stored files, which is not the fault of the task that read them. */
export function damageError(code: string, message: string, damage: StoredDamage): TaskFailureError {
  return new TaskFailureError('INFRASTRUCTURE', code, message, { damage });
}

/** Codes of errors that a retry can't fix, by the error's name. */
const PERMANENT_ERRORS: ReadonlyMap<string, string> = new Map([
  ['InvalidRequestError', 'PARAMETERS_INVALID'],
  ['UnknownLayerError', 'PARAMETERS_INVALID'],
  ['BackboneError', 'BACKBONE_INVALID'],
  ['DatasetInvalidError', 'DATASET_INVALID'],
  ['ManifestError', 'DATASET_INVALID'],
  ['ImageDecodeError', 'DATASET_INVALID'],
  ['CheckpointError', 'CHECKPOINT_INVALID'],
  ['SafetensorsError', 'CHECKPOINT_INVALID'],
  ['ArtifactMissingError', 'ARTIFACT_MISSING'],
  ['ArtifactUriError', 'ARTIFACT_MISSING'],
]);

/** TensorFlow's messages, of which tfjs keeps nothing else. oneDNN's status 1 is `dnnl_out_of_memory`. */
const OUT_OF_MEMORY =
  /OOM when allocating|RESOURCE_EXHAUSTED|ResourceExhausted|received an exception:\s?Status: 1,|Array buffer allocation failed|bad_alloc|out of memory/i;

/**
 * Classifies an error; the class decides about retries (`core/retry.ts`).
 *
 * @param places folders of this machine, which attribute errors of its disks; null: unknown.
 */
export function taskErrorOf(error: unknown, places: TaskPlaces | null = null): TaskError {
  if (error instanceof TaskFailureError) {
    const { errorClass, code, message, datasetProblems, damage } = error;
    return { errorClass, code, message, datasetProblems, ...damage };
  }
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  if (OUT_OF_MEMORY.test(message)) return plainError('MEMORY', 'OUT_OF_MEMORY', message);
  const machineError = machineErrorOf(error, places);
  if (machineError !== null) return machineError;
  const permanentCode = PERMANENT_ERRORS.get(name);
  if (permanentCode !== undefined) {
    const datasetProblems = error instanceof DatasetInvalidError ? error.problems : [];
    return { ...plainError('PERMANENT', permanentCode, message), datasetProblems };
  }
  if (name === 'ArtifactSpaceError' || /ENOSPC|EDQUOT/.test(message)) {
    return plainError('INFRASTRUCTURE', 'DISK_FULL', message);
  }
  if (name === 'ArtifactCopyError') return plainError('INFRASTRUCTURE', 'CACHE_DAMAGED', message);
  if (name === 'ArtifactUnwritableError') return plainError('INFRASTRUCTURE', 'STORE_UNWRITABLE', message);
  return plainError('COUNTED', 'UNEXPECTED', `${name}: ${message}`);
}

function plainError(errorClass: ErrorClass, code: string, message: string): TaskError {
  return { errorClass, code, message, datasetProblems: [] };
}
