import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { functionalConfig } from './functional-config.ts';
import { writeHdf5, writeTensor } from './hdf5-writer.ts';
import type { KerasModel } from './keras-layer.ts';
import { KERAS_VERSION } from './model-card.ts';
import type { ModelCard } from './model-card.ts';

/**
 * Writes Keras 3's archive (keras/src/saving/saving_lib.py): `metadata.json`, `config.json` and `model.weights.h5`, uncompressed.
 * `metadata.json` also has the card, under `graft`.
 *
 * @throws {ExportError} when the file can't be written.
 */
export async function writeKerasFile(path: string, model: KerasModel, card: ModelCard): Promise<void> {
  const weightsPath = `${path}.weights`;
  try {
    await writeHdf5(weightsPath, (file) => {
      file.create_group('vars').create_attribute('name', model.name);
      const layers = file.create_group('layers');
      const used = new Map<string, number>();
      for (const { className, name, weights } of model.layers) {
        const key = snakeCase(className);
        const count = used.get(key) ?? 0;
        used.set(key, count + 1);
        const variables = layers.create_group(count === 0 ? key : `${key}_${count}`).create_group('vars');
        variables.create_attribute('name', name);
        for (const [index, weight] of weights.entries()) writeTensor(variables, String(index), weight);
      }
    });
    const zip = new ZipFile();
    const stored = { compress: false };
    const metadata = { keras_version: KERAS_VERSION, date_saved: dateSaved(new Date()), graft: card };
    zip.addBuffer(Buffer.from(JSON.stringify(metadata)), 'metadata.json', stored);
    zip.addBuffer(Buffer.from(JSON.stringify(functionalConfig(model, 'keras'))), 'config.json', stored);
    zip.addFile(weightsPath, 'model.weights.h5', stored);
    zip.end();
    await pipeline(zip.outputStream, createWriteStream(path));
  } finally {
    await rm(weightsPath, { force: true });
  }
}

/** Implements `to_snake_case` of keras/src/utils/naming.py: `Conv2D` → `conv2d`, `ReLU` → `re_lu`. */
function snakeCase(className: string): string {
  return className
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Returns a date in Keras' format: `2026-01-31@23:59:59`. */
function dateSaved(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', '@');
}
