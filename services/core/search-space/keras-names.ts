import { PARAMETER_NAMES } from './parameter-definitions.ts';

/** Names of Keras and other libraries, in lower case, with the parameter that has their meaning here. */
const SAME_MEANING: Readonly<Record<string, string>> = {
  lr: 'optimizer.learning_rate',
  learning_rate: 'optimizer.learning_rate',
  optimizer: 'optimizer.name',
  momentum: 'optimizer.momentum',
  nesterov: 'optimizer.nesterov',
  rho: 'optimizer.rho',
  beta_1: 'optimizer.beta1',
  beta_2: 'optimizer.beta2',
  weight_decay: 'optimizer.weight_decay',
  clipnorm: 'optimizer.clip_norm',
  clipvalue: 'optimizer.clip_value',
  global_clipnorm: 'optimizer.global_clip_norm',
  gradient_accumulation_steps: 'optimizer.gradient_accumulation_steps',
  ema_momentum: 'optimizer.ema_momentum',
  schedule: 'schedule.name',
  scheduler: 'schedule.name',
  lr_schedule: 'schedule.name',
  learning_rate_schedule: 'schedule.name',
  batch: 'batch_size',
  bs: 'batch_size',
  epoch: 'epochs',
  num_epochs: 'epochs',
  max_epochs: 'epochs',
  model: 'backbone',
  base_model: 'backbone',
  architecture: 'backbone',
  arch: 'backbone',
  pretrained: 'weights',
  img_size: 'image_size',
  input_size: 'image_size',
  input_shape: 'image_size',
  target_size: 'image_size',
  resolution: 'image_size',
  dropout: 'head.dropout',
  dropout_rate: 'head.dropout',
  units: 'head.units',
  hidden_units: 'head.units',
  dense_units: 'head.units',
  activation: 'head.activation',
  pooling: 'head.pooling',
  l2: 'head.l2',
  kernel_regularizer: 'head.l2',
  class_weight: 'class_weights',
  label_smooth: 'label_smoothing',
  patience: 'early_stopping.patience',
  early_stopping: 'early_stopping.patience',
  min_delta: 'early_stopping.min_delta',
  unfreeze: 'fine_tune.unfreeze',
  fine_tune: 'fine_tune.enabled',
  fine_tuning: 'fine_tune.enabled',
  trainable: 'fine_tune.enabled',
  fine_tune_at: 'fine_tune.unfreeze',
  flip: 'augmentation.flip',
  rotation: 'augmentation.rotation',
  zoom: 'augmentation.zoom',
  mixup: 'augmentation.mixup_alpha',
  cutmix: 'augmentation.cutmix_alpha',
  randaugment: 'augmentation.rand_augment_ops',
  rand_augment: 'augmentation.rand_augment_ops',
  random_state: 'seed',
};

/** Other names, with what replaces them. */
const OTHER_HINTS: Readonly<Record<string, string>> = {
  decay: "Keras 3 has no 'decay' either: use schedule.name with schedule.*, or optimizer.weight_decay.",
  loss: "Here it is called 'loss.name': cross_entropy (binary or categorical, by the number of classes) or focal.",
  metrics:
    'Losses, accuracies, val_macro_f1 and val_balanced_accuracy are always recorded, val_auc for small validation splits; ' +
    'objective.metric chooses the one that ranks runs.',
  metric: 'The metric that ranks runs is objective.metric, at the top level of the file.',
  use_ema: 'Set optimizer.ema_momentum or fine_tune.ema_momentum, in Keras 0.99; 0 is off.',
  warmup_steps: 'Use schedule.warmup_epochs, or fine_tune.schedule_warmup_epochs: epochs, of which parts are allowed.',
  steps_per_epoch: 'An epoch is one pass over all training images; take it out.',
  validation_steps: 'All validation images are used; take it out.',
  validation_split: 'Give dataset.split_fractions, or folders train, validation and test.',
  test_split: 'Give dataset.split_fractions, or folders train, validation and test.',
  shuffle: 'Training images are always shuffled, by data_seed; take it out.',
  callbacks: 'Use early_stopping.*, and schedule.name: plateau; the best checkpoint is always kept.',
  include_top: 'The base is always without its top; head.* describes the new one. Take it out.',
  classes: 'The classes are the folders of the data set; take it out.',
  num_classes: 'The classes are the folders of the data set; take it out.',
  preprocessing: 'It follows from the base; take it out.',
  rescale: 'It follows from the base; take it out.',
  verbose: 'Watch the sweep with `graft sweep watch`; take it out.',
};

/**
 * Returns the sentence that leads from a name of Keras to the parameter of that meaning, with a space before it; empty for any other
 * name. The name may have the group that it is in, as in `optimizer.lr`.
 */
export function kerasHint(name: string): string {
  if (PARAMETER_NAMES.includes(name)) return '';
  const parameter = kerasParameter(name);
  if (parameter !== null) return ` Here it is called '${parameter}'.`;
  const reason = entryOf(OTHER_HINTS, name);
  return reason === null ? '' : ` ${reason}`;
}

/** Returns the parameter that has the meaning of a name of Keras, in the same group if it has one; null if there is none. */
export function kerasParameter(name: string): string | null {
  const parameter = entryOf(SAME_MEANING, name);
  const group = name.slice(0, name.lastIndexOf('.') + 1);
  if (parameter === null || group === '') return parameter;
  const inGroup = group + lastPart(parameter);
  return PARAMETER_NAMES.includes(inGroup) ? inGroup : parameter;
}

function entryOf(table: Readonly<Record<string, string>>, name: string): string | null {
  const key = lastPart(name).toLowerCase().replaceAll('-', '_');
  return (Object.hasOwn(table, key) ? table[key] : undefined) ?? null;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
