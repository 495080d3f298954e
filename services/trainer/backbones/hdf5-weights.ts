import { BackboneError } from '../../core/network/backbone-error.ts';
import type { WeightTensor } from './backbone.ts';
import { Hdf5File } from './hdf5-file.ts';
import type { StoredTensor } from './hdf5-file.ts';
import { readModels } from './hdf5-layers.ts';
import type { FileModel } from './hdf5-layers.ts';
import { readStoredTensor, storageProblem } from './hdf5-values.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import type { WeightSpec } from '../../core/network/layer-shapes.ts';
import { otherBackboneHint } from './other-backbone.ts';
import { fileError, layerError } from './weight-file-error.ts';
import type { WeightSource } from './weight-file-error.ts';
import { AmbiguousLayerError, matchBase, sameShape, tensorsInOrder } from './weight-matching.ts';
import type { Match } from './weight-matching.ts';

interface Assignment {
  readonly layer: string;
  readonly spec: WeightSpec;
  readonly stored: StoredTensor;
}

/**
 * Reads the weights of a base from a Keras file: the legacy layout or Keras 3's `.weights.h5`, of the base alone, of a model
 * that has its layers, or of one that has the base inside. Layers of a top are ignored. All headers are compared with the base
 * before the first value is read.
 *
 * @param shownPath what errors call the file, when it was extracted from another.
 * @throws BackboneError that names the layer and both shapes when something doesn't match, the tensor when its values are not
 *   finite, and the format or filter when they can't be read.
 */
export async function readHdf5Weights(
  path: string,
  graph: LayerGraph,
  shownPath: string = path,
): Promise<ReadonlyMap<string, WeightTensor>> {
  const source = { path: shownPath, backbone: graph.backbone };
  using file = await Hdf5File.open(path, source);
  try {
    const models = readModels(file);
    const hint = (): string => otherBackboneHint(graph, (other) => matchBase(other, models).fitting.length > 0);
    const assigned = assignTensors(source, findBase(source, graph, models, hint), hint);
    const problem = storageProblem(
      file,
      assigned.map(({ stored }) => stored),
    );
    if (problem !== null) throw fileError(source, problem);
    const weights = new Map<string, WeightTensor>();
    for (const { layer, spec, stored } of assigned) {
      const values = readStoredTensor(file, stored, spec);
      if (typeof values === 'string')
        throw layerError(source, layer, `can't be used: ${spec.role} at ${stored.path} ${values}`);
      weights.set(spec.name, { shape: spec.shape, values });
    }
    return weights;
  } catch (error) {
    throw asFileError(source, error);
  }
}

function findBase(source: WeightSource, graph: LayerGraph, models: readonly FileModel[], hint: () => string): Match {
  if (models.length === 0) {
    throw fileError(source, 'it is neither a legacy Keras weight file nor a Keras 3 .weights.h5 file');
  }
  const { fitting, nearest } = matchBase(graph, models);
  if (fitting.length > 1) {
    const places = fitting.map(({ place }) => place).join(' and ');
    throw fileError(source, `it holds the base more than once, at ${places}. Save the one that is meant alone`);
  }
  if (nearest === null) throw fileError(source, 'it has no weights');
  const missing = nearest.layers.filter(({ found }) => found === null).map(({ wanted }) => wanted.name);
  if (missing.length === 0) return nearest;
  const shown = `${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}`;
  throw fileError(
    source,
    `it has weights of ${nearest.layerCount} layers and lacks ${missing.length} of the ${nearest.layers.length} that are ` +
      `needed: ${shown}${hint()}`,
  );
}

function assignTensors(source: WeightSource, { layers }: Match, hint: () => string): readonly Assignment[] {
  return layers.flatMap(({ wanted: { name, specs }, found }) => {
    if (found === null) return [];
    const tensors = tensorsInOrder(specs, found);
    const assigned = specs.map((spec, index) => {
      const stored = tensors[index] ?? null;
      if (stored !== null && sameShape(stored.shape, spec.shape)) return { layer: name, spec, stored };
      const needed = `needs ${spec.role} of shape [${spec.shape.join(', ')}]`;
      throw layerError(source, name, `${needed}, but the file ${misfit(spec, stored)}${hint()}`);
    });
    if (found.tensors.length > specs.length) {
      const roles = specs.map(({ role }) => role).join(', ');
      throw layerError(source, name, `needs ${roles} alone, but the file has ${found.tensors.length} tensors for it`);
    }
    return assigned;
  });
}

function misfit({ shape }: WeightSpec, stored: StoredTensor | null): string {
  if (stored === null) return 'has no such tensor';
  const isReversed = sameShape(stored.shape.toReversed(), shape);
  const hint = isReversed ? ', the same in reverse: it was written in column-major order' : '';
  return `has shape [${stored.shape.join(', ')}]${hint}`;
}

/**
 * Converts an error. h5wasm's exceptions about damaged structures are faults of the file; lack of memory is one of the
 * machine.
 */
function asFileError(source: WeightSource, error: unknown): unknown {
  if (error instanceof BackboneError || error instanceof RangeError) return error;
  if (error instanceof AmbiguousLayerError) return fileError(source, error.message);
  const message = error instanceof Error ? error.message : String(error);
  return fileError(source, `it is damaged (${message}). Download it again`);
}
