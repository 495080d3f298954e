import { arrangeTensor } from './arrange-tensor.js';

/** @typedef {import('./torch-pickle.js').StoredTensor} StoredTensor */

/** How many blocks each of the seven stages has. */
const REPEATS = [1, 2, 2, 3, 3, 4, 1];

const BATCH_NORM = { weight: 'gamma', bias: 'beta', running_mean: 'moving_mean', running_var: 'moving_variance' };
const STEM_AND_TOP = { _conv_stem: 'stem_conv', _bn0: 'stem_bn', _conv_head: 'top_conv', _bn1: 'top_bn' };
const IN_BLOCK = {
  _expand_conv: 'expand_conv',
  _bn0: 'expand_bn',
  _depthwise_conv: 'dwconv',
  _bn1: 'bn',
  _project_conv: 'project_conv',
  _bn2: 'project_bn',
};

/**
 * Renames the tensors of EfficientNet-PyTorch to the layers of Keras' EfficientNet and puts kernels into TensorFlow's
 * order (convolution: height, width, in, out; depthwise: height, width, channels, 1). The classifier and the counters of
 * batches are left out.
 *
 * @param {ReadonlyMap<string, StoredTensor>} source
 * @returns {Map<string, { shape: number[], data: Float32Array }>} named `<layer>/<kernel|gamma|beta|moving_mean|moving_variance>`
 * @throws {Error} naming a tensor that does not belong to EfficientNet-Lite0
 */
export function convertEfficientNetLite0(source) {
  const names = blockNames();
  /** @type {Map<string, { shape: number[], data: Float32Array }>} */
  const converted = new Map();
  for (const [name, tensor] of source) {
    if (name.startsWith('_fc.') || name.endsWith('.num_batches_tracked')) continue;
    const layer = layerName(name, names);
    const part = name.slice(name.lastIndexOf('.') + 1);
    const isKernel = tensor.shape.length === 4 && part === 'weight';
    const variable = isKernel ? 'kernel' : BATCH_NORM[/** @type {keyof typeof BATCH_NORM} */ (part)];
    if (layer === undefined || variable === undefined || !layer.includes(isKernel ? 'conv' : 'bn')) {
      throw new Error(`"${name}" is no tensor of EfficientNet-Lite0.`);
    }
    const isDepthwise = layer.endsWith('dwconv');
    converted.set(
      `${layer}/${variable}`,
      arrangeTensor(tensor, isKernel ? (isDepthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]) : [0]),
    );
  }
  return converted;
}

/** block1a, block2a, block2b, … in the order of PyTorch's numbers. */
function blockNames() {
  return REPEATS.flatMap((count, stage) =>
    Array.from({ length: count }, (_, index) => `block${stage + 1}${String.fromCharCode(97 + index)}`),
  );
}

/**
 * @param {string} name such as _blocks.3._bn1.running_mean
 * @param {readonly string[]} blocks
 */
function layerName(name, blocks) {
  const [first = '', second = '', third = ''] = name.split('.');
  if (first !== '_blocks') return STEM_AND_TOP[/** @type {keyof typeof STEM_AND_TOP} */ (first)];
  const layer = IN_BLOCK[/** @type {keyof typeof IN_BLOCK} */ (third)];
  const block = blocks[Number(second)];
  return layer === undefined || block === undefined ? undefined : `${block}_${layer}`;
}
