/** Types of stored feature values; they are computed and read as float32. */
export const FEATURE_DTYPES = ['float32', 'float16'] as const;
export type FeatureDtype = (typeof FEATURE_DTYPES)[number];

/**
 * Configuration of one run with every default filled in. `compileRunConfig` (`core/search-space/compile.ts`) derives it from the
 * run's flat parameters, so that the coordinator's planner and the trainer read the same values.
 */
export interface RunConfig {
  readonly backbone: BackboneConfig;
  /** Height and width in pixels. */
  readonly imageSize: number;
  /** `cached`: the frozen base runs once per image (method A). `augmented`: once per image and epoch (method B). */
  readonly method: 'cached' | 'augmented';
  /** Type of the values in the feature sets that it reads. */
  readonly featureDtype: FeatureDtype;
  /** Present exactly when `method` is `augmented`. */
  readonly augmentation: AugmentationConfig | null;
  readonly head: HeadConfig;
  /** Optimizer of the head phase. */
  readonly optimizer: OptimizerConfig;
  /** Learning-rate schedule of the head phase. */
  readonly schedule: ScheduleConfig;
  readonly batchSize: number;
  /** Epochs of the head phase. 0: there is none, and fine-tuning starts with an untrained head. */
  readonly epochs: number;
  readonly earlyStopping: EarlyStoppingConfig | null;
  /** 0 to below 1; Keras' meaning. */
  readonly labelSmoothing: number;
  readonly classWeights: ClassWeights;
  /** Loss of both phases. */
  readonly loss: LossConfig;
  /** Absent: no fine-tuning. */
  readonly fineTune: FineTuneConfig | null;
  /** Seed of the head's initial weights and of dropout. */
  readonly seed: number;
  /** Seed of the order of the training images, by the shuffle key (dataSeed, epoch). Runs with the same order can share a stream. */
  readonly dataSeed: number;
}

/**
 * Weights of the classes in the training loss, Keras `fit(class_weight=…)`. `balanced`: each class weighs
 * images / (classes × images of the class), as in scikit-learn. Weights by class name: the others weigh 1.
 */
export type ClassWeights = 'none' | 'balanced' | Readonly<Record<string, number>>;

export type LossConfig =
  | { readonly name: 'cross_entropy' }
  /** Focal loss (Lin et al. 2017), Keras `BinaryFocalCrossentropy` for two classes, `CategoricalFocalCrossentropy` for more. */
  | {
      readonly name: 'focal';
      /** Exponent of the factor (1 − probability); 0: cross-entropy. */
      readonly gamma: number;
      /** Two classes: weight of class 1, and 1 − alpha of class 0. More: factor of the loss. Null: Keras' default. */
      readonly alpha: number | null;
    };

export interface BackboneConfig {
  /** One of `core/network/backbones.ts`. */
  readonly name: string;
  /** `imagenet`, `random`, or a path as the trainers see it. */
  readonly weights: string;
  /** Layer the base ends with; null: its last one. */
  readonly cut: string | null;
}

/**
 * Keras' layers in this order: flip, rotation, zoom, translation, contrast, brightness, saturation, hue. A factor of 0 switches a
 * layer off.
 */
export interface AugmentationConfig {
  readonly flip: 'none' | 'horizontal' | 'vertical' | 'horizontal_and_vertical';
  /** Part of a full turn, Keras `RandomRotation(factor)`: the angle is drawn from ±factor·2π. */
  readonly rotation: number;
  /** Keras `RandomZoom(height_factor)`: drawn from ±factor. */
  readonly zoom: number;
  /** Keras `RandomZoom(width_factor)`: drawn apart from ±factor; null: the width zooms as the height does. */
  readonly zoomWidth: number | null;
  /** Part of the height, Keras `RandomTranslation(height_factor)`: drawn from ±factor. */
  readonly translationHeight: number;
  /** Part of the width, Keras `RandomTranslation(width_factor)`: drawn from ±factor. */
  readonly translationWidth: number;
  /** Keras `RandomContrast(factor)`: drawn from 1 to 1 + factor. */
  readonly contrast: number;
  /** Part of 255, Keras `RandomBrightness(factor)`: drawn from ±factor. */
  readonly brightness: number;
  /** Keras `RandomSaturation((0.5 - factor, 0.5 + factor))`, where 0.5 leaves the saturation unchanged. */
  readonly saturation: number;
  /** Keras `RandomHue(factor)`: the hue rotates by up to ±factor/2 of the colour circle. */
  readonly hue: number;
  /** Applied after the layers above; null: off. */
  readonly randAugment: RandAugmentConfig | null;
  /** Keras `MixUp(alpha)`, applied to batches after all other layers; null: off. */
  readonly mixup: MixConfig | null;
  /** Keras `CutMix((alpha, alpha))`, applied to batches after all other layers; null: off. */
  readonly cutmix: MixConfig | null;
  /** Fill of rotation, zoom and translation outside the image. */
  readonly fillMode: 'reflect' | 'wrap' | 'constant' | 'nearest';
  /** Fill value from 0 to 255 with `constant`, else 0. */
  readonly fillValue: number;
  /** Interpolation of rotation, zoom and translation. */
  readonly interpolation: 'bilinear' | 'nearest';
  readonly seed: number;
}

/** Keras `RandAugment(num_ops, factor)`. */
export interface RandAugmentConfig {
  readonly ops: number;
  readonly magnitude: number;
}

/** Mixing the images and the labels of a batch in pairs. */
export interface MixConfig {
  /** The share of an image is drawn from the beta distribution of (alpha, alpha). */
  readonly alpha: number;
  /** Part of the batches that are mixed; if those of MixUp and CutMix exceed 1 together, they are scaled to a sum of 1. */
  readonly probability: number;
}

export interface HeadConfig {
  readonly pooling: 'flatten' | 'avg' | 'max';
  /** Units of each hidden layer; 0: none. */
  readonly units: number;
  /** Number of hidden layers. */
  readonly layers: number;
  readonly activation: 'linear' | 'relu' | 'tanh' | 'gelu' | 'swish';
  /** Rate; after each hidden layer (or on the features where there is none). */
  readonly dropout: number;
  /** Factor of the kernels' squared sum, Keras `regularizers.L2`. */
  readonly l2: number;
}

/** Keras' `clipnorm` (each variable), `global_clipnorm` (all together) or `clipvalue` (each element). */
export interface GradientClipping {
  readonly by: 'norm' | 'global_norm' | 'value';
  /** Limit above 0. */
  readonly limit: number;
}

interface OptimizerBase {
  readonly learningRate: number;
  /** Absent: gradients stay as they are. */
  readonly clipping?: GradientClipping;
  /** Keras `gradient_accumulation_steps`, 2 or more; absent: each batch is an update. */
  readonly gradientAccumulationSteps?: number;
  /** Keras `ema_momentum` with `use_ema`, above 0; absent: no average of the weights. */
  readonly emaMomentum?: number;
}

export interface RmspropConfig extends OptimizerBase {
  readonly name: 'rmsprop';
  readonly rho: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly centered: boolean;
}

export interface AdamConfig extends OptimizerBase {
  readonly name: 'adam';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export interface AdamwConfig extends OptimizerBase {
  readonly name: 'adamw';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

export interface SgdConfig extends OptimizerBase {
  readonly name: 'sgd';
  readonly momentum: number;
  readonly nesterov: boolean;
}

export type OptimizerConfig = RmspropConfig | AdamConfig | AdamwConfig | SgdConfig;

/**
 * A linear rise of the learning rate from `start` times the phase's rate to the phase's rate, before the schedule: the warm-up of
 * Keras `CosineDecay(warmup_target, warmup_steps)`, counted in epochs. The schedule then has the remaining steps.
 */
export interface WarmupConfig {
  /** Number above 0, rounded to steps. */
  readonly epochs: number;
  readonly start: number;
}

export type ScheduleConfig =
  | (DecayConfig & {
      /** Absent: no warm-up. */
      readonly warmup?: WarmupConfig;
    })
  | OneCycleConfig;

/**
 * PyTorch's `OneCycleLR` (Smith & Topin 2018, https://arxiv.org/abs/1708.07120) with cosine annealing: from the phase's rate divided
 * by `divFactor` up to the phase's rate, then down to the first rate divided by `finalDivFactor`.
 */
export interface OneCycleConfig {
  readonly name: 'one_cycle';
  /** Part of the steps in which the rate rises; below 1. */
  readonly pctStart: number;
  readonly divFactor: number;
  readonly finalDivFactor: number;
  /** Momentum where the rate is highest (`base`), and at both ends (`max`); null: the optimizer's own throughout. */
  readonly momentum: { readonly base: number; readonly max: number } | null;
}

type DecayConfig =
  | { readonly name: 'constant' }
  /** Keras `CosineDecay` over all steps of the phase, down to `alpha` times the phase's rate. */
  | { readonly name: 'cosine'; readonly alpha: number }
  /** Multiplies by `factor` after every `stepEpochs` epochs: Keras `ExponentialDecay(staircase=True)` counted in epochs. */
  | { readonly name: 'step'; readonly stepEpochs: number; readonly factor: number }
  /** Multiplies by `decayRate` over `decayEpochs` epochs, continuously: Keras `ExponentialDecay` counted in epochs. */
  | { readonly name: 'exponential'; readonly decayRate: number; readonly decayEpochs: number }
  /** Keras `ReduceLROnPlateau` on val_loss. */
  | {
      readonly name: 'plateau';
      readonly factor: number;
      readonly patience: number;
      readonly minLearningRate: number;
    };

export interface EarlyStoppingConfig {
  /** Keras `EarlyStopping(monitor=objective)`: epochs without improvement before the stage ends. */
  readonly patience: number;
  readonly minDelta: number;
}

export interface FineTuneConfig {
  /** A number of last layers ("4"), a layer's name (it and all above), a block's name ("block5"), `last_block`, or `all`. */
  readonly unfreeze: string;
  readonly optimizer: OptimizerConfig;
  readonly schedule: ScheduleConfig;
  readonly epochs: number;
  readonly earlyStopping: EarlyStoppingConfig | null;
  /** True: fine-tuning may start although the head was never trained (`epochs` 0). */
  readonly allowUntrainedHead: boolean;
}
