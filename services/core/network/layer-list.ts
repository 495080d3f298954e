import type {
  ActivationLayer,
  AveragePoolLayer,
  BatchNormLayer,
  ConvLayer,
  DepthwiseLayer,
  KernelInitializer,
  Layer,
  MaxPoolLayer,
  NormalizationLayer,
  SeparableLayer,
} from './layer.ts';

/** Options of a convolution; missing ones have Keras' defaults. */
export interface ConvOptions {
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding?: ConvLayer['padding'];
  readonly useBias?: boolean;
  readonly activation?: ConvLayer['activation'];
  readonly initializer?: KernelInitializer;
}

export interface DepthwiseOptions {
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding?: DepthwiseLayer['padding'];
  readonly initializer?: KernelInitializer;
}

/**
 * Builds a network in the style of `keras.applications`: each method appends a layer and returns its name. If Keras'
 * source gives no name (null), the layer gets the name of a fresh Keras session: `conv2d`, `conv2d_1`, … An input of
 * null is the preprocessed image.
 */
export class LayerList {
  readonly layers: Layer[] = [];
  /** Block of the layers appended from now on. */
  block = '';
  private readonly counts = new Map<string, number>();

  conv(name: string | null, input: string | null, options: ConvOptions): string {
    const { filters, kernelSize, stride = 1, padding = 'valid', useBias = true, activation = 'linear' } = options;
    const initializer = options.initializer ?? 'glorot-uniform';
    const layer = { filters, kernelSize, stride, padding, useBias, activation, initializer };
    return this.push({ kind: 'conv', ...this.base(name, 'conv2d', [input]), ...layer });
  }

  /** Appends a depthwise convolution without bias, as in every base. */
  depthwise(name: string, input: string, options: DepthwiseOptions): string {
    const { kernelSize, stride = 1, padding = 'valid', initializer = 'glorot-uniform' } = options;
    const layer = { kernelSize, stride, padding, initializer };
    return this.push({ kind: 'depthwise', ...this.base(name, '', [input]), ...layer });
  }

  separable(name: string, input: string, options: Pick<SeparableLayer, 'filters' | 'kernelSize'>): string {
    return this.push({ kind: 'separable', ...this.base(name, '', [input]), ...options });
  }

  norm(name: string | null, input: string, epsilon: BatchNormLayer['epsilon'] = 1e-3): string {
    return this.push({ kind: 'batch-norm', ...this.base(name, 'batch_normalization', [input]), epsilon });
  }

  activation(name: string, input: string, activation: ActivationLayer['activation']): string {
    return this.push({ kind: 'activation', ...this.base(name, '', [input]), activation });
  }

  zeroPad(name: string | null, input: string | null, padding: readonly [number, number]): string {
    return this.push({ kind: 'zero-pad', ...this.base(name, 'zero_padding2d', [input]), padding });
  }

  maxPool(name: string | null, input: string, options: Pick<MaxPoolLayer, 'poolSize' | 'stride' | 'padding'>): string {
    return this.push({ kind: 'max-pool', ...this.base(name, 'max_pooling2d', [input]), ...options });
  }

  averagePool(name: string, input: string, options: Pick<AveragePoolLayer, 'poolSize' | 'stride'>): string {
    return this.push({ kind: 'average-pool', ...this.base(name, '', [input]), ...options });
  }

  globalAverage(name: string, input: string): string {
    return this.push({ kind: 'global-average', ...this.base(name, '', [input]) });
  }

  add(name: string | null, inputs: readonly string[]): string {
    return this.push({ kind: 'add', ...this.base(name, 'add', inputs) });
  }

  multiply(name: string, inputs: readonly string[]): string {
    return this.push({ kind: 'multiply', ...this.base(name, '', inputs) });
  }

  concat(name: string, inputs: readonly string[]): string {
    return this.push({ kind: 'concat', ...this.base(name, '', inputs) });
  }

  rescaling(input: string | null, scale: readonly number[]): string {
    return this.push({ kind: 'rescaling', ...this.base(null, 'rescaling', [input]), scale });
  }

  normalization(input: string, statistics: NormalizationLayer['statistics']): string {
    return this.push({ kind: 'normalization', ...this.base(null, 'normalization', [input]), statistics });
  }

  identity(name: string, input: string): string {
    return this.push({ kind: 'identity', ...this.base(name, '', [input]) });
  }

  private base(
    name: string | null,
    kerasClass: string,
    inputs: readonly (string | null)[],
  ): Pick<Layer, 'name' | 'block' | 'inputs'> {
    return {
      name: name ?? this.nextName(kerasClass),
      block: this.block,
      inputs: inputs.filter((input) => input !== null),
    };
  }

  private nextName(kerasClass: string): string {
    const count = this.counts.get(kerasClass) ?? 0;
    this.counts.set(kerasClass, count + 1);
    return count === 0 ? kerasClass : `${kerasClass}_${count}`;
  }

  private push(layer: Layer): string {
    this.layers.push(layer);
    return layer.name;
  }
}
