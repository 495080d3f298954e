import type { ParameterValue } from '../sweep/sweep-spec.ts';
import { BACKBONE_NAMES, DEFAULT_BACKBONE, MINIMUM_IMAGE_SIZE } from '../network/backbones.ts';
import { bool, choice, int, later, real, text } from './define-parameter.ts';
import type { ParameterDefinition, ParentCondition } from './define-parameter.ts';
import { optimizerParameters, OPTIMIZERS, scheduleParameters, SCHEDULES } from './optimizer-parameters.ts';

/** 2^53 − 1: every seed is an exact JavaScript number and an `int64`. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

const AUGMENTED: ParentCondition = { name: 'method', anyOf: ['augmented'] };
const HIDDEN_LAYER: ParentCondition = { name: 'head.units', above: 0 };
const RAND_AUGMENTED: ParentCondition = { name: 'augmentation.rand_augment_ops', above: 0 };
const CONSTANT_FILL: ParentCondition = { name: 'augmentation.fill_mode', anyOf: ['constant'] };
const FINE_TUNED: ParentCondition = { name: 'fine_tune.enabled', anyOf: [true] };
const FOCAL: ParentCondition = { name: 'loss.name', anyOf: ['focal'] };

/**
 * The closed table of hyper-parameters, parents before children. Defaults are those of the recipe; those of optimizers and
 * schedules are Keras 3's (`keras/src/optimizers/{rmsprop,adam,adamw,sgd}.py`, `keras/src/callbacks/reduce_lr_on_plateau.py`,
 * `keras/src/optimizers/schedules/learning_rate_schedule.py`), those of one_cycle are PyTorch's.
 */
export const PARAMETER_DEFINITIONS: readonly ParameterDefinition[] = [
  choice('backbone', BACKBONE_NAMES, DEFAULT_BACKBONE, 'Pretrained convolutional base.'),
  text('weights', 'imagenet', "Initial weights of the base: 'imagenet', 'random', or a path as the trainers see it."),
  text('cut', '', 'Layer the base ends with; empty: its last one.', { allowEmpty: true }),
  int('image_size', 180, MINIMUM_IMAGE_SIZE, 1024, 'Height and width of the images in pixels; xception: at least 71.'),
  choice('method', ['cached', 'augmented'], 'cached', 'Frozen base once per image, or once per image and epoch.'),
  choice(
    'feature_dtype',
    ['float32', 'float16'],
    'float32',
    'How stored outputs of the base are kept; float16: half the disk.',
  ),

  choice(
    'augmentation.flip',
    ['none', 'horizontal', 'vertical', 'horizontal_and_vertical'],
    'horizontal',
    'Random mirroring.',
    AUGMENTED,
  ),
  real('augmentation.rotation', 0.1, 0, 1, 'Angle drawn from ± this part of a full turn; 0: off.', AUGMENTED),
  real('augmentation.zoom', 0.2, 0, 1, 'Zoom drawn from ± this factor; 0: off.', AUGMENTED, 'max'),
  real(
    'augmentation.zoom_width',
    null,
    0,
    1,
    "The width's own zoom, drawn from ± this factor; left out: the width zooms as the height does.",
    AUGMENTED,
    'max',
  ),
  real('augmentation.translation_height', 0, 0, 1, 'Shift drawn from ± this part of the height; 0: off.', AUGMENTED),
  real('augmentation.translation_width', 0, 0, 1, 'Shift drawn from ± this part of the width; 0: off.', AUGMENTED),
  real('augmentation.contrast', 0, 0, 1, 'Contrast drawn from 1 to 1 + this factor, as in Keras; 0: off.', AUGMENTED),
  real('augmentation.brightness', 0, 0, 1, 'Brightness added, drawn from ± this part of 255; 0: off.', AUGMENTED),
  later(
    real(
      'augmentation.saturation',
      0,
      0,
      0.5,
      "Keras' RandomSaturation factor drawn from 0.5 ± this; 0.1: saturation times 0.67 to 1.5; 0: off.",
      AUGMENTED,
    ),
  ),
  later(
    real(
      'augmentation.hue',
      0,
      0,
      1,
      "Hue rotated by up to ± half of this, Keras' RandomHue factor; 0: off.",
      AUGMENTED,
    ),
  ),
  later(
    int(
      'augmentation.rand_augment_ops',
      0,
      0,
      16,
      "Layers that Keras' RandAugment draws per image; 0: off.",
      AUGMENTED,
    ),
  ),
  real(
    'augmentation.rand_augment_magnitude',
    0.5,
    0,
    1,
    "Keras' RandAugment factor; stronger than the paper's: 0.1 rotates by up to 36 degrees.",
    RAND_AUGMENTED,
  ),
  ...mixParameters('mixup', 'MixUp of images and labels: alpha of the beta distribution, 0.2 in Keras; 0: off.'),
  ...mixParameters('cutmix', 'CutMix of images and labels: alpha of the beta distribution, 1 in the paper; 0: off.'),
  choice(
    'augmentation.fill_mode',
    ['reflect', 'wrap', 'constant', 'nearest'],
    'reflect',
    'What lies outside the image.',
    AUGMENTED,
  ),
  real('augmentation.fill_value', 0, 0, 255, 'Value of every channel outside the image.', CONSTANT_FILL),
  choice(
    'augmentation.interpolation',
    ['bilinear', 'nearest'],
    'bilinear',
    'Of rotation, zoom and translation.',
    AUGMENTED,
  ),
  int('augmentation.seed', 0, 0, MAX_SEED, "Of the augmentation; default: the sweep's seed.", AUGMENTED),

  choice('head.pooling', ['avg', 'max', 'flatten'], 'avg', "How the base's output becomes one row per image."),
  int('head.units', 256, 0, 65_536, 'Units of each hidden layer; 0: no hidden layer.'),
  int('head.layers', 1, 1, 8, 'Number of hidden layers.', HIDDEN_LAYER),
  choice(
    'head.activation',
    ['linear', 'relu', 'tanh', 'gelu', 'swish'],
    'linear',
    'Activation of the hidden layers.',
    HIDDEN_LAYER,
  ),
  real('head.dropout', 0.5, 0, 1, 'Part of the activations left out in training.', null, 'max'),
  real('head.l2', 0, 0, 100, "Factor of the kernels' squared sum in the loss."),

  choice('optimizer.name', OPTIMIZERS, 'rmsprop', 'Optimizer of the head phase.'),
  real(
    'optimizer.learning_rate',
    1e-3,
    0,
    100,
    'Learning rate of the head phase: the first one, or the highest with a warm-up or one_cycle.',
    null,
    'min',
  ),
  ...optimizerParameters('optimizer.', 'optimizer.name', null),

  choice('schedule.name', SCHEDULES, 'constant', 'Course of the learning rate, head phase.'),
  ...scheduleParameters('schedule.', 'schedule.name'),

  int('batch_size', 32, 1, 4_096, 'Images per step.'),
  int('epochs', 50, 0, 10_000, 'Epochs of the head phase; 0 only with fine_tune.allow_untrained_head.'),
  int('early_stopping.patience', 0, 0, 10_000, 'Epochs without improvement that end a stage; 0: off.'),
  real('early_stopping.min_delta', 0, 0, 1_000, 'Smallest change that counts as an improvement.', {
    name: 'early_stopping.patience',
    above: 0,
  }),
  real('label_smoothing', 0, 0, 1, "Part of the target spread over the classes (Keras' meaning).", null, 'max'),
  {
    ...choice(
      'class_weights',
      ['none', 'balanced'],
      'none',
      'Weights of the classes in the loss: balanced by their images, or by name; a class without one weighs 1.',
    ),
    allowClassWeights: true,
  },
  later(choice('loss.name', ['cross_entropy', 'focal'], 'cross_entropy', 'Loss; focal: Lin et al. 2017, as in Keras.')),
  real('loss.gamma', 2, 0, 20, 'Focal loss: exponent that leaves out easy images; 0: cross-entropy.', FOCAL),
  real('loss.alpha', null, 0, 1, 'Focal loss: weight of class 1 of two, else a factor of the loss.', FOCAL, 'min'),

  bool('fine_tune.enabled', false, 'Trains the last layers of the base after the head.'),
  text(
    'fine_tune.unfreeze',
    'last_block',
    "What trains: a number of last layers, a layer's name, a block's name, 'last_block' or 'all'.",
    { allowWholeNumber: true, parent: FINE_TUNED },
  ),
  int('fine_tune.epochs', 30, 1, 10_000, 'Epochs of the fine-tuning phase.', FINE_TUNED),
  bool(
    'fine_tune.allow_untrained_head',
    false,
    'Lets epochs be 0: the head starts untrained, which can destroy what the base has learnt.',
    FINE_TUNED,
  ),
  real(
    'fine_tune.learning_rate',
    1e-5,
    0,
    100,
    'Learning rate of the fine-tuning phase: the first one, or the highest with a warm-up or one_cycle.',
    FINE_TUNED,
    'min',
  ),
  choice('fine_tune.optimizer', OPTIMIZERS, 'rmsprop', 'Optimizer of the fine-tuning phase.', FINE_TUNED),
  ...optimizerParameters('fine_tune.', 'fine_tune.optimizer', FINE_TUNED),
  choice('fine_tune.schedule', SCHEDULES, 'constant', 'Course of the learning rate, fine-tuning phase.', FINE_TUNED),
  ...scheduleParameters('fine_tune.schedule_', 'fine_tune.schedule'),

  int('seed', 0, 0, MAX_SEED, "Initial weights and dropout; default: the sweep's seed."),
  int('data_seed', 0, 0, MAX_SEED, "Order of the training images; default: the sweep's seed."),
];

/** Parameters whose default is the sweep's seed. */
export const SEED_PARAMETERS: readonly string[] = ['seed', 'data_seed', 'augmentation.seed'];

const BY_NAME: ReadonlyMap<string, ParameterDefinition> = new Map(PARAMETER_DEFINITIONS.map((d) => [d.name, d]));

export const PARAMETER_NAMES: readonly string[] = PARAMETER_DEFINITIONS.map((definition) => definition.name);

/** Returns the definition of that name; null if there is none. */
export function findDefinition(name: string): ParameterDefinition | null {
  return BY_NAME.get(name) ?? null;
}

/** Returns whether a parent's value (undefined: the parent is absent) allows the child. */
export function parentAllows(parent: ParentCondition, value: ParameterValue | undefined): boolean {
  if (value === undefined) return false;
  if ('anyOf' in parent) return parent.anyOf.includes(value);
  return typeof value === 'number' && value > parent.above;
}

/** Returns the parameters of a way to mix images. */
function mixParameters(name: 'mixup' | 'cutmix', doc: string): readonly ParameterDefinition[] {
  const alpha = `augmentation.${name}_alpha`;
  return [
    later(real(alpha, 0, 0, 10, doc, AUGMENTED)),
    real(
      `augmentation.${name}_probability`,
      1,
      0,
      1,
      'Part of the batches; those of MixUp and CutMix are scaled to a sum of at most 1.',
      { name: alpha, above: 0 },
      'min',
    ),
  ];
}
