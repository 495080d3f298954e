import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { minimumImageSize } from '../../services/core/network/backbones.ts';
import { buildLayerGraph } from '../../services/core/network/layer-graph.ts';
import type { LayerGraph } from '../../services/core/network/layer-graph.ts';
import { backboneDefinition, BACKBONE_NAMES } from '../../services/core/network/backbones.ts';

interface Recording {
  readonly keras: string;
  /** Smallest height and width that Keras takes. */
  readonly minimumSizes: Readonly<Record<string, number>>;
  readonly backbones: readonly {
    readonly backbone: string;
    readonly size: number;
    readonly layers: number;
    readonly parameters: number;
    readonly digest: string;
  }[];
}

/** Made by backbone-layers.py, which also prints the lines that a digest is of. */
const recorded = JSON.parse(readFileSync(new URL('backbone-layers.json', import.meta.url), 'utf8')) as Recording;

describe(`layers of every backbone against Keras ${recorded.keras}`, () => {
  it.each(recorded.backbones)('$backbone at $size pixels', ({ backbone, size, layers, parameters, digest }) => {
    const graph = buildLayerGraph(backbone, backboneDefinition(backbone).layers(size), size);
    const sizes = graph.weights.flat().map(({ shape }) => shape.reduce((product, length) => product * length, 1));
    expect(graph.layers).toHaveLength(layers);
    expect(sizes.reduce((sum, count) => sum + count)).toBe(parameters);
    expect(createHash('sha256').update(layerLines(graph)).digest('hex')).toBe(digest);
  });

  it('asks for the image sizes that Keras asks for', () => {
    const ours = Object.keys(recorded.minimumSizes).map((name) => [name, minimumImageSize(name)]);
    expect(Object.fromEntries(ours)).toEqual(recorded.minimumSizes);
  });

  it('leaves out only what Keras does not have', () => {
    const names = new Set(recorded.backbones.map(({ backbone }) => backbone));
    expect(BACKBONE_NAMES.filter((name) => !names.has(name))).toEqual(['efficientnet_lite0']);
  });
});

/** A line per layer: its name, the shape of its output, its weights' names and shapes. */
function layerLines(graph: LayerGraph): string {
  return graph.layers
    .map(({ name }, index) => {
      const weights = (graph.weights[index] ?? []).map(({ role, shape }) => `${role}:[${shape.join()}]`);
      return `${name} [${(graph.shapes[index] ?? []).join()}] ${weights.join(';')}`;
    })
    .join('\n');
}
