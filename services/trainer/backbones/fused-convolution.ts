import { tf } from '../engine/engine.ts';
import type { Tensor } from '../engine/engine.ts';
import { executeOp, intAttribute, stringAttribute, typeAttribute, typesAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';
import { applyActivation } from './activation-ops.ts';
import type { Activation } from '../../core/network/layer.ts';

export type FusableOp = 'Conv2D' | 'DepthwiseConv2dNative';

/** Window, bias and activation of one call. */
export type FusedConvolution = (input: Tensor, kernel: Tensor, bias: Tensor) => Tensor;

/** Activations that oneDNN applies to a result before it is written, by TensorFlow's names. */
const FUSED_ACTIVATIONS: Partial<Record<Activation, readonly string[]>> = {
  linear: [],
  relu: ['Relu'],
  relu6: ['Relu6'],
};

const FUSED_OPS: Readonly<Record<FusableOp, string>> = {
  Conv2D: '_MklNativeFusedConv2D',
  DepthwiseConv2dNative: '_MklNativeFusedDepthwiseConv2dNative',
};

/**
 * A convolution that adds its bias and applies its activation while it writes its result: one pass over memory instead of three.
 * Keras' graphs get these kernels from TensorFlow's remapper (`core/grappler/optimizers/remapper.cc`); here they are called by name.
 *
 * @param window attributes `T`, `strides` and `padding`
 * @returns null where TensorFlow has no such kernel: on a GPU, or without oneDNN
 */
export function fusedConvolution(
  op: FusableOp,
  window: readonly OpAttribute[],
  activation: Activation,
): FusedConvolution | null {
  if (!isSupported(op)) return null;
  const after = FUSED_ACTIVATIONS[activation];
  const attributes = [...window, ...fusedAttributes(op, after ?? [])];
  return (input, kernel, bias) => {
    const output = executeOp(FUSED_OPS[op], attributes, [input, kernel, bias]);
    if (after !== undefined) return output;
    const activated = applyActivation(output, activation);
    output.dispose();
    return activated;
  };
}

function fusedAttributes(op: FusableOp, after: readonly string[]): readonly OpAttribute[] {
  return [
    // The bias.
    intAttribute('num_args', 1),
    ...(op === 'Conv2D' ? [typesAttribute('TArgs', ['float32'])] : []),
    stringAttribute('fused_ops', ['BiasAdd', ...after]),
    // The label under which oneDNN's kernels are registered (`core/util/mkl_util.h`).
    stringAttribute('_kernel', 'MklNameChangeOp'),
  ];
}

const supported = new Map<FusableOp, boolean>();

/** Asked by doing it once: whether a kernel is registered can't be looked up. */
function isSupported(op: FusableOp): boolean {
  const known = supported.get(op);
  if (known !== undefined) return known;
  const isThere = tf.tidy(() => {
    const window = [
      typeAttribute('T', 'float32'),
      intAttribute('strides', [1, 1, 1, 1]),
      stringAttribute('padding', 'VALID'),
    ];
    const attributes = [...window, ...fusedAttributes(op, ['Relu'])];
    try {
      const inputs = [tf.ones([1, 1, 1, 1]), tf.ones([1, 1, 1, 1]), tf.ones([1])];
      return executeOp(FUSED_OPS[op], attributes, inputs).dataSync()[0] === 2;
    } catch {
      return false;
    }
  });
  supported.set(op, isThere);
  return isThere;
}
