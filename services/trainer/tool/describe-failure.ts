import { InvalidRequestError } from '../../core/errors.ts';
import { BackboneError } from '../../core/network/backbone-error.ts';
import { describeFileError, fileProblem } from '../../platform/files/file-problem.ts';
import { DownloadError } from '../../platform/http/download.ts';
import { WeightFileMissingError, WeightsUnavailableError } from '../backbones/weight-file.ts';
import { SafetensorsError } from '../checkpoints/safetensors.ts';
import { CheckpointError } from '../checkpoints/training-checkpoint.ts';
import { ExportError } from '../export/export-error.ts';
import type { ToolFailure } from './tool-protocol.ts';

/** Describes why a request failed. The cause decides first: a checkpoint without its weight file is `missing`, not `invalid`. */
export function describeFailure(error: unknown): ToolFailure {
  if (!(error instanceof Error)) return { kind: 'internal', message: String(error) };
  const kind = kindOf(error.cause) ?? kindOf(error);
  if (kind === null) return { kind: 'internal', message: error.stack ?? error.message };
  return { kind, message: fileProblem(error) === null ? error.message : `${describeFileError(error)}.` };
}

const INVALID = [CheckpointError, SafetensorsError, BackboneError, InvalidRequestError];

function kindOf(error: unknown): ToolFailure['kind'] | null {
  const problem = fileProblem(error);
  if (problem !== null) return problem.kind;
  if (error instanceof WeightFileMissingError || error instanceof WeightsUnavailableError) return 'missing';
  if (error instanceof DownloadError) return 'unavailable';
  // The HDF5 library has no codes; a full disk is the usual reason.
  if (error instanceof ExportError) return 'unavailable';
  // By name: its module loads TensorFlow, which is what failed.
  if (error instanceof Error && error.name === 'EngineUnavailableError') return 'unavailable';
  return INVALID.some((type) => error instanceof type) ? 'invalid' : null;
}
