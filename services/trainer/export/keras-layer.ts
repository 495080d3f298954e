/** A value of a layer's configuration, as JSON. */
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[];

/** The layer classes in exported models. Keras 3 has all of them, TensorFlow.js all but `Normalization`. */
export type KerasClass =
  | 'InputLayer'
  | 'Rescaling'
  | 'Normalization'
  | 'Conv2D'
  | 'DepthwiseConv2D'
  | 'SeparableConv2D'
  | 'BatchNormalization'
  | 'Activation'
  | 'ReLU'
  | 'ZeroPadding2D'
  | 'MaxPooling2D'
  | 'AveragePooling2D'
  | 'GlobalAveragePooling2D'
  | 'GlobalMaxPooling2D'
  | 'Reshape'
  | 'Dropout'
  | 'Add'
  | 'Multiply'
  | 'Concatenate'
  | 'Flatten'
  | 'Dense';

export interface KerasWeight {
  /** Keras 3's name of the variable: `kernel`, `gamma`, … */
  readonly name: string;
  readonly shape: readonly number[];
  /** Values in row-major order. Integers: the count of a `Normalization`. */
  readonly values: Float32Array | BigInt64Array;
}

/** One layer of a functional model, independent of the format. */
export interface KerasLayer {
  readonly className: KerasClass;
  readonly name: string;
  /** Arguments of the class that have no default or another value; without name, dtype and trainable. */
  readonly config: Readonly<Record<string, ConfigValue>>;
  /** Names of earlier layers. */
  readonly inputs: readonly string[];
  /** Shape of the output, without the batch. */
  readonly shape: readonly number[];
  readonly trainable: boolean;
  /** Weights in Keras' order. */
  readonly weights: readonly KerasWeight[];
}

/** A model with one input and one output, in the order of Keras' `model.layers`. */
export interface KerasModel {
  readonly name: string;
  readonly layers: readonly KerasLayer[];
}
