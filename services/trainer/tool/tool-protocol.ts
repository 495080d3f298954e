import type { Dataset, DatasetProblem } from '../../core/dataset.ts';
import type { DatasetSource, Parameters } from '../../core/sweep/sweep-spec.ts';
import type { FileProblemKind } from '../../platform/files/file-problem.ts';
import type { ExportedFile, ExportFormat } from '../export/export-model.ts';

/**
 * A request to the tool process: one JSON value on standard input. The parent process does not load TensorFlow, and must survive
 * a file that crashes the native library.
 */
export type ToolRequest =
  | { readonly type: 'check-dataset'; readonly source: DatasetSource; readonly cacheDir: string }
  | {
      readonly type: 'predict';
      /** Path of a run's checkpoint file. */
      readonly checkpoint: string;
      /** All parameters of that run. */
      readonly parameters: Parameters;
      readonly classNames: readonly string[];
      /** Paths of image files. */
      readonly images: readonly string[];
      readonly cacheDir: string;
    }
  | {
      readonly type: 'export';
      /** Path of a run's checkpoint file. */
      readonly checkpoint: string;
      /** All parameters of that run. */
      readonly parameters: Parameters;
      readonly classNames: readonly string[];
      readonly format: ExportFormat;
      /** File (`keras`, `keras-h5`) or folder (`tfjs`), which is replaced if it exists. */
      readonly target: string;
      readonly cacheDir: string;
    };

/** An event of the tool process: one JSON line on standard output. */
export type ToolEvent =
  | { readonly type: 'progress'; readonly done: number; readonly total: number; readonly detail: string }
  | { readonly type: 'dataset'; readonly dataset: Dataset }
  /** The data set can't be trained on. */
  | { readonly type: 'dataset-invalid'; readonly path: string; readonly problems: readonly DatasetProblem[] }
  | ({ readonly type: 'prediction' } & ImagePrediction)
  | { readonly type: 'exported'; readonly files: readonly ExportedFile[] }
  | ({ readonly type: 'failed' } & ToolFailure);

/** A failed request, with what the caller can do about it. */
export interface ToolFailure {
  /**
   * `invalid`: the checkpoint, its weights or the parameters are unusable. `missing`: a file is not on this machine. `refused`: the
   * account may not access a file. `unavailable`: a download failed, or a disk is full. `internal`: a fault of Graft.
   */
  readonly kind: FileProblemKind | 'internal';
  /** A message for people; of an internal fault, its stack. */
  readonly message: string;
}

export interface ImagePrediction {
  readonly image: string;
  /** null if the image can't be read; `problem` has the reason. */
  readonly className: string | null;
  /** Probabilities in the order of the request's class names; empty if there is a problem. */
  readonly probabilities: readonly number[];
  readonly problem: string | null;
}
