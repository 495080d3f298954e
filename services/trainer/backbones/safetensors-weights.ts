import { SafetensorsError, readForeignHeader, readTensorBytes } from '../checkpoints/safetensors.ts';
import type { SafetensorsEntry } from '../checkpoints/safetensors.ts';
import type { WeightTensor } from './backbone.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { otherBackboneHint } from './other-backbone.ts';
import { fileError, layerError, lookalikeHint } from './weight-file-error.ts';
import { sameShape } from './weight-matching.ts';
import { toFloat32, valueProblem } from './weight-values.ts';
import type { FloatFormat } from './weight-values.ts';

const FORMATS: Readonly<Partial<Record<string, FloatFormat>>> = {
  F16: 'float16',
  BF16: 'bfloat16',
  F32: 'float32',
  F64: 'float64',
};

/**
 * Reads the weights of a base from a safetensors file, whose tensors are named `<layer>/<role>`; others in it are ignored.
 * All headers are compared with the base before the first value is read.
 *
 * @throws BackboneError that names the tensor.
 */
export async function readSafetensorsWeights(
  path: string,
  graph: LayerGraph,
): Promise<{
  readonly weights: ReadonlyMap<string, WeightTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}> {
  const source = { path, backbone: graph.backbone };
  try {
    const { entries, metadata } = await readForeignHeader(path);
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    const checked = graph.weights.flat().map((spec) => {
      const layer = spec.name.slice(0, spec.name.lastIndexOf('/'));
      const entry = byName.get(spec.name);
      if (entry === undefined || !sameShape(entry.shape, spec.shape)) {
        const found = entry === undefined ? 'is missing' : `has shape [${entry.shape.join(', ')}] in the file`;
        const needed = `needs "${spec.name}" of shape [${spec.shape.join(', ')}], which ${found}`;
        throw layerError(source, layer, `${needed}${otherBackboneHint(graph, (other) => fits(other, byName))}`);
      }
      const format = FORMATS[entry.dtype];
      if (format === undefined) {
        const read = Object.keys(FORMATS).join(', ');
        throw layerError(source, layer, `has "${spec.name}" of dtype ${entry.dtype}; ${read} are read`);
      }
      return { spec, layer, entry, format };
    });
    const weights = new Map<string, WeightTensor>();
    for (const { spec, layer, entry, format } of checked) {
      const values = toFloat32(await readTensorBytes(path, entry), format);
      const problem = valueProblem(spec, values);
      if (problem !== null) throw layerError(source, layer, `can't be used: ${spec.role} ${problem}`);
      weights.set(spec.name, { shape: spec.shape, values });
    }
    return { weights, metadata };
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw fileError(source, `it is not a whole safetensors file: ${error.problem}${await lookalikeHint(path)}`);
  }
}

function fits(graph: LayerGraph, entries: ReadonlyMap<string, SafetensorsEntry<string>>): boolean {
  return graph.weights.flat().every(({ name, shape }) => sameShape(entries.get(name)?.shape ?? [-1], shape));
}
