import type {
  AugmentationConfig,
  EarlyStoppingConfig,
  FineTuneConfig,
  GradientClipping,
  HeadConfig,
  LossConfig,
  MixConfig,
  OptimizerConfig,
  RandAugmentConfig,
  RunConfig,
  ScheduleConfig,
  WarmupConfig,
} from '../run-config.ts';
import type { Parameters, ParameterValue } from '../sweep/sweep-spec.ts';
import { completeParameters } from './canonical.ts';
import { readClassWeights } from './class-weights.ts';

/**
 * Compiles flat parameters to the configuration of a run. Canonical parameters and those with gaps yield the same
 * result. The casts of strings to unions are valid because canonical values are among the table's choices; a test
 * compiles every choice.
 *
 * @throws {InvalidRequestError} for unknown names and wrong values.
 */
export function compileRunConfig(parameters: Parameters): RunConfig {
  const read = new ParameterReader(completeParameters(parameters));
  const earlyStopping = readEarlyStopping(read);
  return {
    backbone: {
      name: read.string('backbone'),
      weights: read.string('weights'),
      cut: read.string('cut') === '' ? null : read.string('cut'),
    },
    imageSize: read.number('image_size'),
    featureDtype: read.string('feature_dtype') as RunConfig['featureDtype'],
    method: read.string('method') as RunConfig['method'],
    augmentation: readAugmentation(read),
    head: readHead(read),
    optimizer: readOptimizer(read, 'optimizer.name', 'optimizer.'),
    schedule: readSchedule(read, 'schedule.name', 'schedule.'),
    batchSize: read.number('batch_size'),
    epochs: read.number('epochs'),
    earlyStopping,
    labelSmoothing: read.number('label_smoothing'),
    classWeights: readClassWeights(read.string('class_weights')),
    loss: readLoss(read),
    fineTune: readFineTune(read, earlyStopping),
    seed: read.number('seed'),
    dataSeed: read.number('data_seed'),
  };
}

function readAugmentation(read: ParameterReader): AugmentationConfig | null {
  if (read.string('method') !== 'augmented') return null;
  return {
    flip: read.string('augmentation.flip') as AugmentationConfig['flip'],
    rotation: read.number('augmentation.rotation'),
    zoom: read.number('augmentation.zoom'),
    zoomWidth: read.numberOr('augmentation.zoom_width', null),
    translationHeight: read.number('augmentation.translation_height'),
    translationWidth: read.number('augmentation.translation_width'),
    contrast: read.number('augmentation.contrast'),
    brightness: read.number('augmentation.brightness'),
    saturation: read.number('augmentation.saturation'),
    hue: read.number('augmentation.hue'),
    randAugment: readRandAugment(read),
    mixup: readMix(read, 'mixup'),
    cutmix: readMix(read, 'cutmix'),
    fillMode: read.string('augmentation.fill_mode') as AugmentationConfig['fillMode'],
    fillValue: read.numberOr('augmentation.fill_value', 0),
    interpolation: read.string('augmentation.interpolation') as AugmentationConfig['interpolation'],
    seed: read.number('augmentation.seed'),
  };
}

function readRandAugment(read: ParameterReader): RandAugmentConfig | null {
  const ops = read.number('augmentation.rand_augment_ops');
  return ops === 0 ? null : { ops, magnitude: read.number('augmentation.rand_augment_magnitude') };
}

function readMix(read: ParameterReader, name: 'mixup' | 'cutmix'): MixConfig | null {
  const alpha = read.number(`augmentation.${name}_alpha`);
  return alpha === 0 ? null : { alpha, probability: read.number(`augmentation.${name}_probability`) };
}

function readHead(read: ParameterReader): HeadConfig {
  const units = read.number('head.units');
  return {
    pooling: read.string('head.pooling') as HeadConfig['pooling'],
    units,
    layers: units === 0 ? 0 : read.number('head.layers'),
    activation: units === 0 ? 'linear' : (read.string('head.activation') as HeadConfig['activation']),
    dropout: read.number('head.dropout'),
    l2: read.number('head.l2'),
  };
}

function readOptimizer(read: ParameterReader, nameParameter: string, prefix: string): OptimizerConfig {
  const number = (field: string): number => read.number(`${prefix}${field}`);
  const clipping = readClipping(read, prefix);
  const gradientAccumulationSteps = number('gradient_accumulation_steps');
  const emaMomentum = number('ema_momentum');
  const base = {
    learningRate: number('learning_rate'),
    ...(clipping === null ? {} : { clipping }),
    ...(gradientAccumulationSteps === 1 ? {} : { gradientAccumulationSteps }),
    ...(emaMomentum === 0 ? {} : { emaMomentum }),
  };
  const name = read.string(nameParameter) as OptimizerConfig['name'];
  switch (name) {
    case 'rmsprop':
      return {
        name,
        ...base,
        rho: number('rho'),
        momentum: number('momentum'),
        epsilon: number('epsilon'),
        centered: read.bool(`${prefix}centered`),
      };
    case 'adam':
      return { name, ...base, beta1: number('beta1'), beta2: number('beta2'), epsilon: number('epsilon') };
    case 'adamw':
      return {
        name,
        ...base,
        beta1: number('beta1'),
        beta2: number('beta2'),
        epsilon: number('epsilon'),
        weightDecay: number('weight_decay'),
      };
    case 'sgd':
      return { name, ...base, momentum: number('momentum'), nesterov: read.bool(`${prefix}nesterov`) };
  }
}

/** The table allows at most one kind above 0. */
function readClipping(read: ParameterReader, prefix: string): GradientClipping | null {
  const kinds = { norm: 'clip_norm', global_norm: 'global_clip_norm', value: 'clip_value' } as const;
  for (const by of ['norm', 'global_norm', 'value'] as const) {
    const limit = read.numberOr(`${prefix}${kinds[by]}`, 0);
    if (limit > 0) return { by, limit };
  }
  return null;
}

function readSchedule(read: ParameterReader, nameParameter: string, prefix: string): ScheduleConfig {
  const number = (field: string): number => read.number(`${prefix}${field}`);
  const name = read.string(nameParameter) as ScheduleConfig['name'];
  const warmup = readWarmup(read, prefix);
  switch (name) {
    case 'constant':
      return { name, ...warmup };
    case 'cosine':
      return { name, ...warmup, alpha: number('alpha') };
    case 'step':
      return { name, ...warmup, stepEpochs: number('step_epochs'), factor: number('factor') };
    case 'exponential':
      return { name, ...warmup, decayRate: number('decay_rate'), decayEpochs: number('decay_epochs') };
    case 'plateau':
      return {
        name,
        ...warmup,
        factor: number('factor'),
        patience: number('patience'),
        minLearningRate: number('min_learning_rate'),
      };
    case 'one_cycle':
      return {
        name,
        pctStart: number('pct_start'),
        divFactor: number('div_factor'),
        finalDivFactor: number('final_div_factor'),
        momentum: read.bool(`${prefix}cycle_momentum`)
          ? { base: number('base_momentum'), max: number('max_momentum') }
          : null,
      };
  }
}

function readWarmup(read: ParameterReader, prefix: string): { readonly warmup?: WarmupConfig } {
  const epochs = read.numberOr(`${prefix}warmup_epochs`, 0);
  return epochs === 0 ? {} : { warmup: { epochs, start: read.number(`${prefix}warmup_start`) } };
}

function readLoss(read: ParameterReader): LossConfig {
  const name = read.string('loss.name') as LossConfig['name'];
  switch (name) {
    case 'cross_entropy':
      return { name };
    case 'focal':
      return { name, gamma: read.number('loss.gamma'), alpha: read.numberOr('loss.alpha', null) };
  }
}

function readEarlyStopping(read: ParameterReader): EarlyStoppingConfig | null {
  const patience = read.number('early_stopping.patience');
  return patience === 0 ? null : { patience, minDelta: read.number('early_stopping.min_delta') };
}

/** Fine-tuning has its own optimizer and schedule; early stopping applies to both phases. */
function readFineTune(read: ParameterReader, earlyStopping: EarlyStoppingConfig | null): FineTuneConfig | null {
  if (!read.bool('fine_tune.enabled')) return null;
  return {
    unfreeze: read.string('fine_tune.unfreeze'),
    optimizer: readOptimizer(read, 'fine_tune.optimizer', 'fine_tune.'),
    schedule: readSchedule(read, 'fine_tune.schedule', 'fine_tune.schedule_'),
    epochs: read.number('fine_tune.epochs'),
    earlyStopping,
    allowUntrainedHead: read.bool('fine_tune.allow_untrained_head'),
  };
}

/** Reads complete parameters by type; a wrong type here is a mistake in this file, not in a request. */
class ParameterReader {
  private readonly parameters: Parameters;

  constructor(parameters: Parameters) {
    this.parameters = parameters;
  }

  number(name: string): number {
    const value = this.value(name);
    if (typeof value !== 'number') throw new TypeError(`Parameter ${name} is not a number: ${String(value)}.`);
    return value;
  }

  /** @param absent value for a missing parameter. */
  numberOr<T extends number | null>(name: string, absent: T): number | T {
    return this.parameters[name] === undefined ? absent : this.number(name);
  }

  bool(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== 'boolean') throw new TypeError(`Parameter ${name} is not true or false: ${String(value)}.`);
    return value;
  }

  string(name: string): string {
    const value = this.value(name);
    if (typeof value !== 'string') throw new TypeError(`Parameter ${name} is not a string: ${String(value)}.`);
    return value;
  }

  private value(name: string): ParameterValue {
    const value = this.parameters[name];
    if (value === undefined) throw new TypeError(`Parameter ${name} is absent here.`);
    return value;
  }
}
