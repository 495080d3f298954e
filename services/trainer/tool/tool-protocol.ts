import type { Dataset, DatasetProblem } from '../../core/dataset.ts';
import type { DatasetSource, Parameters } from '../../core/sweep/sweep-spec.ts';
import type { ExportedFile, ExportFormat } from '../export/export-model.ts';

/**
 * What the tool process is asked, as one JSON text on standard input. Its parent has no TensorFlow, and a file that makes the
 * native library crash must not take the parent along.
 */
export type ToolRequest =
  | { readonly type: 'check-dataset'; readonly source: DatasetSource; readonly cacheDir: string }
  | {
      readonly type: 'predict';
      /** A checkpoint file of a run. */
      readonly checkpoint: string;
      /** All parameters of that run. */
      readonly parameters: Parameters;
      readonly classNames: readonly string[];
      /** Files. */
      readonly images: readonly string[];
      readonly cacheDir: string;
    }
  | {
      readonly type: 'export';
      /** A checkpoint file of a run. */
      readonly checkpoint: string;
      /** All parameters of that run. */
      readonly parameters: Parameters;
      readonly classNames: readonly string[];
      readonly format: ExportFormat;
      /** File (`keras`, `keras-h5`) or folder (`tfjs`); what is there already is replaced. */
      readonly target: string;
      readonly cacheDir: string;
    };

/** One JSON line on standard output each. */
export type ToolEvent =
  | { readonly type: 'progress'; readonly done: number; readonly total: number; readonly detail: string }
  | { readonly type: 'dataset'; readonly dataset: Dataset }
  /** The data set can't be trained on. */
  | { readonly type: 'dataset-invalid'; readonly path: string; readonly problems: readonly DatasetProblem[] }
  | ({ readonly type: 'prediction' } & ImagePrediction)
  | { readonly type: 'exported'; readonly files: readonly ExportedFile[] }
  | { readonly type: 'failed'; readonly name: string; readonly message: string };

export interface ImagePrediction {
  readonly image: string;
  /** null where the image can't be read; `problem` says why. */
  readonly className: string | null;
  /** By class, in the order of the request's class names; empty with a problem. */
  readonly probabilities: readonly number[];
  readonly problem: string | null;
}
