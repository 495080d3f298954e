import type { DatasetProblem } from '../../core/dataset.ts';
import type { ErrorClass, TaskError } from '../../core/task.ts';
import { machineErrorOf } from './machine-error.ts';
import type { TaskPlaces } from './machine-error.ts';
import { DatasetInvalidError } from '../data/index-dataset.ts';

/** Stored files that an attempt found missing or damaged. They are made again, and the failure is not counted. */
export type StoredDamage = Pick<TaskError, 'missingFeatureKeys' | 'manifestDamaged' | 'damagedCheckpointIds'>;

/** An error whose class is known where it is thrown. */
export class TaskFailureError extends Error {
  override readonly name = 'TaskFailureError';
  readonly errorClass: ErrorClass;
  /** For example DATASET_INVALID. */
  readonly code: string;
  readonly datasetProblems: readonly DatasetProblem[];
  readonly damage: StoredDamage;

  constructor(
    errorClass: ErrorClass,
    code: string,
    message: string,
    datasetProblems: readonly DatasetProblem[] = [],
    damage: StoredDamage = {},
  ) {
    super(message);
    this.errorClass = errorClass;
    this.code = code;
    this.datasetProblems = datasetProblems;
    this.damage = damage;
  }
}

/** An error about stored files, which says nothing about the task that met them. */
export function damageError(code: string, message: string, damage: StoredDamage): TaskFailureError {
  return new TaskFailureError('INFRASTRUCTURE', code, message, [], damage);
}

/** Errors that trying again can't help, by name, with what they are called in the record. */
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

/** TensorFlow's own words; tfjs passes only the message on. oneDNN's status 1 is `dnnl_out_of_memory`. */
const OUT_OF_MEMORY =
  /OOM when allocating|RESOURCE_EXHAUSTED|ResourceExhausted|received an exception:\s?Status: 1,|Array buffer allocation failed|bad_alloc|out of memory/i;

/**
 * Sorts an error into the classes that decide about retries (semantics: "Attempts and retries").
 *
 * @param places folders of this machine, to tell whose fault an error of its disks is; null: not known
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
