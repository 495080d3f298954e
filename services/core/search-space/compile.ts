import type {
  AugmentationConfig,
  EarlyStoppingConfig,
  FineTuneConfig,
  HeadConfig,
  OptimizerConfig,
  RunConfig,
  ScheduleConfig,
} from '../run-config.ts';
import type { Parameters, ParameterValue } from '../sweep/sweep-spec.ts';
import { canonicalParameters } from './canonical.ts';

/**
 * Compiles flat parameters to what one run trains. Canonical parameters and those with gaps give the same configuration.
 *
 * Throws `InvalidRequestError` for unknown names and wrong values. The casts of texts to unions hold because canonical values
 * are among the table's choices; a test compiles every choice.
 */
export function compileRunConfig(parameters: Parameters): RunConfig {
  const read = new ParameterReader(canonicalParameters(parameters));
  const earlyStopping = readEarlyStopping(read);
  return {
    backbone: {
      name: read.string('backbone'),
      weights: read.string('weights'),
      cut: read.string('cut') === '' ? null : read.string('cut'),
    },
    imageSize: read.number('image_size'),
    method: read.string('method') as RunConfig['method'],
    augmentation: readAugmentation(read),
    head: readHead(read),
    optimizer: readOptimizer(read),
    schedule: readSchedule(read),
    batchSize: read.number('batch_size'),
    epochs: read.number('epochs'),
    earlyStopping,
    labelSmoothing: read.number('label_smoothing'),
    classWeights: read.string('class_weights') as RunConfig['classWeights'],
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
    fillMode: read.string('augmentation.fill_mode') as AugmentationConfig['fillMode'],
    seed: read.number('augmentation.seed'),
  };
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

function readOptimizer(read: ParameterReader): OptimizerConfig {
  const learningRate = read.number('optimizer.learning_rate');
  const name = read.string('optimizer.name') as OptimizerConfig['name'];
  switch (name) {
    case 'rmsprop':
      return {
        name,
        learningRate,
        rho: read.number('optimizer.rho'),
        momentum: read.number('optimizer.momentum'),
        epsilon: read.number('optimizer.epsilon'),
        centered: read.bool('optimizer.centered'),
      };
    case 'adam':
      return { name, learningRate, ...readAdam(read) };
    case 'adamw':
      return { name, learningRate, ...readAdam(read), weightDecay: read.number('optimizer.weight_decay') };
    case 'sgd':
      return {
        name,
        learningRate,
        momentum: read.number('optimizer.momentum'),
        nesterov: read.bool('optimizer.nesterov'),
      };
  }
}

function readAdam(read: ParameterReader): { beta1: number; beta2: number; epsilon: number } {
  return {
    beta1: read.number('optimizer.beta1'),
    beta2: read.number('optimizer.beta2'),
    epsilon: read.number('optimizer.epsilon'),
  };
}

function readSchedule(read: ParameterReader): ScheduleConfig {
  const name = read.string('schedule.name') as ScheduleConfig['name'];
  switch (name) {
    case 'constant':
      return { name };
    case 'cosine':
      return { name, alpha: read.number('schedule.alpha') };
    case 'plateau':
      return {
        name,
        factor: read.number('schedule.factor'),
        patience: read.number('schedule.patience'),
        minLearningRate: read.number('schedule.min_learning_rate'),
      };
  }
}

function readEarlyStopping(read: ParameterReader): EarlyStoppingConfig | null {
  const patience = read.number('early_stopping.patience');
  return patience === 0 ? null : { patience, minDelta: read.number('early_stopping.min_delta') };
}

/** The fine-tuning optimizer has its own name and rate and Keras' defaults otherwise; early stopping serves both phases. */
function readFineTune(read: ParameterReader, earlyStopping: EarlyStoppingConfig | null): FineTuneConfig | null {
  if (!read.bool('fine_tune.enabled')) return null;
  const optimizer = new ParameterReader(
    canonicalParameters({
      'optimizer.name': read.string('fine_tune.optimizer'),
      'optimizer.learning_rate': read.number('fine_tune.learning_rate'),
    }),
  );
  return {
    unfreeze: read.string('fine_tune.unfreeze'),
    optimizer: readOptimizer(optimizer),
    schedule: { name: 'constant' },
    epochs: read.number('fine_tune.epochs'),
    earlyStopping,
  };
}

/** Reads canonical parameters by type; a wrong type here is a mistake in this file, not in a request. */
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

  bool(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== 'boolean') throw new TypeError(`Parameter ${name} is not true or false: ${String(value)}.`);
    return value;
  }

  string(name: string): string {
    const value = this.value(name);
    if (typeof value !== 'string') throw new TypeError(`Parameter ${name} is not a text: ${String(value)}.`);
    return value;
  }

  private value(name: string): ParameterValue {
    const value = this.parameters[name];
    if (value === undefined) throw new TypeError(`Parameter ${name} is absent here.`);
    return value;
  }
}
