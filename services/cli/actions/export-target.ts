import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { didYouMean } from '../../core/text/nearest-name.ts';
import { UsageError } from '../terminal/cli-errors.ts';

export type ExportFormat = 'keras' | 'keras-h5' | 'tfjs';

/** Format and place of an exported model. */
export interface ExportTarget {
  readonly format: ExportFormat;
  /** File (`keras`, `keras-h5`) or folder (`tfjs`). */
  readonly path: string;
}

const FORMAT_OF_ENDING: Readonly<Record<string, ExportFormat>> = {
  '.keras': 'keras',
  '.h5': 'keras-h5',
  '.hdf5': 'keras-h5',
};
const ENDINGS: Readonly<Record<ExportFormat, readonly string[]>> = {
  keras: ['.keras'],
  'keras-h5': ['.h5', '.hdf5'],
  tfjs: [],
};
/** The main file of TensorFlow.js' layers format. */
const TFJS_FILE = 'model.json';

const KNOWN =
  'Give a path that ends in .keras (Keras 3) or .h5 (older Keras), a folder, or DIR/model.json for TensorFlow.js';

/**
 * Decides format and place from the path, and from the format if it is given. A path without an ending is a folder: it receives
 * `model.keras`, or with the format `tfjs` the model's files.
 *
 * @throws UsageError if the path exists without `--force`, its ending is unknown, or it does not fit the format.
 */
export function exportTarget(out: string, format: ExportFormat | undefined, force: boolean): ExportTarget {
  const target = withoutOverwriting(out, format);
  const file = target.format === 'tfjs' ? join(target.path, TFJS_FILE) : target.path;
  if (force || !existsSync(file)) return target;
  throw new UsageError(`--out: ${file} exists already. Choose another path, or add --force to replace it.`);
}

function withoutOverwriting(out: string, format: ExportFormat | undefined): ExportTarget {
  const isFolder = statSync(out, { throwIfNoEntry: false })?.isDirectory() === true;
  if (format === 'tfjs' && !isFolder && existsSync(out) && basename(out) !== TFJS_FILE) {
    throw new UsageError(`--out: ${out} is a file; format tfjs needs a folder.`);
  }
  if (!isFolder && basename(out) === TFJS_FILE && (format === undefined || format === 'tfjs')) {
    return { format: 'tfjs', path: dirname(out) };
  }
  const ending = isFolder ? '' : extname(out).toLowerCase();
  if (format === 'tfjs') return { format, path: out };
  if (ending === '') {
    const chosen = format ?? 'keras';
    return { format: chosen, path: join(out, `model${ENDINGS[chosen][0] ?? ''}`) };
  }
  const byEnding = FORMAT_OF_ENDING[ending];
  if (format !== undefined && byEnding !== format) {
    throw new UsageError(
      `--out: ${out} ends in ${ending}; a file of format ${format} ends in ${ENDINGS[format].join(' or ')}.`,
    );
  }
  if (byEnding === undefined) {
    const near = didYouMean(ending, Object.keys(FORMAT_OF_ENDING));
    throw new UsageError(`--out: ${out} ends in ${ending}, which is no known format.${near} ${KNOWN}.`);
  }
  return { format: byEnding, path: out };
}
