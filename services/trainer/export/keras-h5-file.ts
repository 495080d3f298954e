import { functionalConfig } from './functional-config.ts';
import { writeHdf5, writeTensor } from './hdf5-writer.ts';
import type { KerasModel } from './keras-layer.ts';
import { KERAS_VERSION } from './model-card.ts';
import type { ModelCard } from './model-card.ts';

/**
 * Writes the legacy whole-model file (keras/src/legacy/saving/legacy_h5_format.py): attribute `model_config`, group
 * `model_weights`. The attribute `graft` has the card.
 *
 * @throws {ExportError} when the file can't be written.
 */
export async function writeKerasH5File(path: string, model: KerasModel, card: ModelCard): Promise<void> {
  await writeHdf5(path, (file) => {
    file.create_attribute('backend', 'tensorflow');
    file.create_attribute('keras_version', KERAS_VERSION);
    file.create_attribute('model_config', JSON.stringify(functionalConfig(model, 'keras-h5')));
    file.create_attribute('graft', JSON.stringify(card));
    const all = file.create_group('model_weights');
    all.create_attribute('backend', 'tensorflow');
    all.create_attribute('keras_version', KERAS_VERSION);
    all.create_attribute(
      'layer_names',
      model.layers.map(({ name }) => name),
    );
    for (const { name, weights } of model.layers) {
      const group = all.create_group(name);
      // Keras treats a layer without the attribute as one without weights. h5wasm can't write an empty list of strings.
      if (weights.length === 0) continue;
      group.create_attribute(
        'weight_names',
        weights.map((weight) => `${name}/${weight.name}`),
      );
      const inner = group.create_group(name);
      for (const weight of weights) writeTensor(inner, weight.name, weight);
    }
  });
}
