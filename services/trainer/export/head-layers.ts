import type { HeadConfig } from '../../core/run-config.ts';
import { outputCountOf } from '../../core/network/head-variables.ts';
import type { KerasClass, KerasLayer } from './keras-layer.ts';

const POOLING_CLASSES: Readonly<Record<HeadConfig['pooling'], KerasClass>> = {
  flatten: 'Flatten',
  avg: 'GlobalAveragePooling2D',
  max: 'GlobalMaxPooling2D',
};

export interface HeadOptions {
  readonly config: HeadConfig;
  readonly classCount: number;
  /** Layer below the head, with its output's shape. */
  readonly input: Pick<KerasLayer, 'name' | 'shape'>;
  /** Values by their names in the checkpoint, such as `head/dense_1/kernel`. */
  readonly trained: ReadonlyMap<string, Float32Array>;
}

/** Returns pooling, hidden layers with dropout, and the output's sigmoid (two classes) or softmax, as in `heads/head.ts`. */
export function headLayers({ config, classCount, input, trained }: HeadOptions): readonly KerasLayer[] {
  const layers: KerasLayer[] = [];
  let last = input;
  const push = (layer: Omit<KerasLayer, 'inputs' | 'trainable'>): void => {
    const complete = { ...layer, inputs: [last.name], trainable: true };
    layers.push(complete);
    last = complete;
  };
  const pushDropout = (name: string): void => {
    if (config.dropout === 0) return;
    push({ className: 'Dropout', name, config: { rate: config.dropout }, shape: last.shape, weights: [] });
  };
  const pushDense = (name: string, units: number, activation: string): void => {
    const kernelShape = [last.shape[0] ?? 0, units];
    push({
      className: 'Dense',
      name: `head_${name}`,
      config: { units, activation, use_bias: true },
      shape: [units],
      weights: [
        { name: 'kernel', shape: kernelShape, values: trainedValues(trained, `head/${name}/kernel`) },
        { name: 'bias', shape: [units], values: trainedValues(trained, `head/${name}/bias`) },
      ],
    });
  };
  const featureCount = config.pooling === 'flatten' ? product(input.shape) : (input.shape.at(-1) ?? 0);
  const className = POOLING_CLASSES[config.pooling];
  push({ className, name: 'head_pooling', config: {}, shape: [featureCount], weights: [] });
  const hiddenCount = config.units === 0 ? 0 : config.layers;
  if (hiddenCount === 0) pushDropout('head_dropout');
  for (let number = 1; number <= hiddenCount; number++) {
    pushDense(`dense_${number}`, config.units, config.activation);
    pushDropout(`head_dropout_${number}`);
  }
  const outputCount = outputCountOf(classCount);
  pushDense('output', outputCount, outputCount === 1 ? 'sigmoid' : 'softmax');
  return layers;
}

function trainedValues(trained: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  const values = trained.get(name);
  if (values === undefined) throw new RangeError(`The checkpoint has no tensor "${name}" of the head.`);
  return values;
}

function product(shape: readonly number[]): number {
  return shape.reduce((result, size) => result * size, 1);
}
