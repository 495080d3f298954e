import { File, ready } from 'h5wasm/node';
import type { Group } from 'h5wasm/node';
import { ExportError } from './export-error.ts';
import type { KerasWeight } from './keras-layer.ts';

/**
 * Creates an HDF5 file.
 *
 * @throws {ExportError} when it can't be created or closed.
 */
export async function writeHdf5(path: string, write: (file: Group) => void): Promise<void> {
  await ready;
  const file = new File(path, 'w');
  // The ID of a file that the library could not open is negative.
  if (file.file_id < 0n) throw new ExportError(path, 'the HDF5 library could not create it');
  try {
    write(file);
  } finally {
    if (file.close() < 0) throw new ExportError(path, 'the HDF5 library could not finish it; is the disk full?');
  }
}

export function writeTensor(group: Group, name: string, { shape, values }: KerasWeight): void {
  group.create_dataset({ name, data: values, shape: [...shape], dtype: values instanceof Float32Array ? '<f' : '<q' });
}
