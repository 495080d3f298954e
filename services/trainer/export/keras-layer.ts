/** A value of a layer's configuration, as JSON. */
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[];

/** The layer classes that are used; Keras 3 and TensorFlow.js both have all of them but `Normalization`, which tfjs lacks. */
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
  /** Row-major. Whole numbers: the count of a `Normalization`. */
  readonly values: Float32Array | BigInt64Array;
}

/** One layer of a functional model, before it is written down for one of the formats. */
export interface KerasLayer {
  readonly className: KerasClass;
  readonly name: string;
  /** Arguments of the class that differ from Keras' defaults or have none; without name, dtype and trainable. */
  readonly config: Readonly<Record<string, ConfigValue>>;
  /** Names of earlier layers. */
  readonly inputs: readonly string[];
  /** Of the output, without the batch. */
  readonly shape: readonly number[];
  readonly trainable: boolean;
  /** In Keras' order. */
  readonly weights: readonly KerasWeight[];
}

/** A model with one input and one output, in the order of Keras' `model.layers`. */
export interface KerasModel {
  readonly name: string;
  readonly layers: readonly KerasLayer[];
}
