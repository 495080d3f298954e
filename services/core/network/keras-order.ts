import { BackboneError } from './backbone-error.ts';
import type { Layer } from './layer.ts';

/**
 * Puts layers, given in the order in which a network is written down, into the order of `model.layers`: by falling distance
 * from the output, and where that is equal in the order in which a walk from the output meets them
 * (`map_graph` in keras/src/ops/function.py). Branches interleave; blocks stay together.
 *
 * @param layers each after its inputs; the last one is the output.
 * @throws {BackboneError} when an input is no earlier layer, or a layer doesn't lead to the output
 */
export function kerasOrder(backbone: string, layers: readonly Layer[]): readonly Layer[] {
  const byName = layersByName(backbone, layers);
  const depths = new Map<string, number>();
  for (const layer of [...layers].reverse()) {
    const depth = depths.get(layer.name) ?? 0;
    depths.set(layer.name, depth);
    for (const input of layer.inputs) depths.set(input, Math.max(depth + 1, depths.get(input) ?? 0));
  }
  const met = walkFrom(layers.at(-1), byName);
  if (met.size !== layers.length) {
    const lost = layers.find(({ name }) => !met.has(name));
    throw new BackboneError(`${backbone}: nothing reads layer "${lost?.name ?? ''}".`, { backbone });
  }
  return [...layers].sort(
    (a, b) => (depths.get(b.name) ?? 0) - (depths.get(a.name) ?? 0) || (met.get(a.name) ?? 0) - (met.get(b.name) ?? 0),
  );
}

function layersByName(backbone: string, layers: readonly Layer[]): ReadonlyMap<string, Layer> {
  const byName = new Map<string, Layer>();
  for (const layer of layers) {
    const unknown = layer.inputs.find((input) => !byName.has(input));
    if (unknown !== undefined) throw new BackboneError(`${backbone}: unknown input layer "${unknown}".`, { backbone });
    byName.set(layer.name, layer);
  }
  return byName;
}

/** Layers in the order of a depth-first walk against the arrows, with their number in it. */
function walkFrom(output: Layer | undefined, byName: ReadonlyMap<string, Layer>): ReadonlyMap<string, number> {
  const met = new Map<string, number>();
  const ahead = output === undefined ? [] : [output];
  for (let layer = ahead.pop(); layer !== undefined; layer = ahead.pop()) {
    if (met.has(layer.name)) continue;
    met.set(layer.name, met.size);
    // The first input is walked first: the stack gives back what was put last.
    for (const input of [...layer.inputs].reverse()) ahead.push(byName.get(input) as Layer);
  }
  return met;
}
