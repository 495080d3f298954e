import { bool, int, later, real } from './define-parameter.ts';
import type { ParameterDefinition, ParentCondition } from './define-parameter.ts';

export const OPTIMIZERS = ['rmsprop', 'adam', 'adamw', 'sgd'];
export const SCHEDULES = ['constant', 'cosine', 'step', 'exponential', 'plateau', 'one_cycle'];

const MAX_CLIP = 1e6;

/** Returns the parameters of an optimizer besides its name and learning rate; equal for both phases. */
export function optimizerParameters(
  prefix: string,
  nameParameter: string,
  parent: ParentCondition | null,
): readonly ParameterDefinition[] {
  const of = (...names: readonly string[]): ParentCondition => ({ name: nameParameter, anyOf: names });
  const adaptive = of('rmsprop', 'adam', 'adamw');
  // Keras refuses more than one kind of clipping; here the next kind exists only if the previous one is off.
  const without = (name: string): ParentCondition => ({ name: `${prefix}${name}`, anyOf: [0] });
  return [
    real(`${prefix}rho`, 0.9, 0, 1, 'Decay of the mean of squared gradients.', of('rmsprop'), 'max'),
    real(`${prefix}momentum`, 0, 0, 1, 'Momentum.', of('rmsprop', 'sgd'), 'max'),
    real(`${prefix}beta1`, 0.9, 0, 1, 'Decay of the mean of gradients.', of('adam', 'adamw'), 'max'),
    real(`${prefix}beta2`, 0.999, 0, 1, 'Decay of the mean of squares.', of('adam', 'adamw'), 'max'),
    real(`${prefix}epsilon`, 1e-7, 0, 1, 'Keeps divisors above zero.', adaptive, 'min'),
    real(`${prefix}weight_decay`, 0.004, 0, 1, 'Decoupled weight decay.', of('adamw')),
    bool(`${prefix}centered`, false, 'Divides by the variance of the gradients.', of('rmsprop')),
    bool(`${prefix}nesterov`, false, "Nesterov's momentum.", of('sgd')),
    real(`${prefix}clip_norm`, 0, 0, MAX_CLIP, "Largest norm of each variable's gradient; 0: off.", parent),
    real(
      `${prefix}global_clip_norm`,
      0,
      0,
      MAX_CLIP,
      'Largest norm of all gradients together; 0: off.',
      without('clip_norm'),
    ),
    real(
      `${prefix}clip_value`,
      0,
      0,
      MAX_CLIP,
      'Largest absolute value in a gradient; 0: off.',
      without('global_clip_norm'),
    ),
    later(
      int(
        `${prefix}gradient_accumulation_steps`,
        1,
        1,
        10_000,
        'Batches whose mean gradient makes one update, across epochs as in Keras; 1: each batch does.',
        parent,
      ),
    ),
    later(
      real(
        `${prefix}ema_momentum`,
        0,
        0,
        1,
        'Momentum of the moving average of the weights, which is validated, kept and exported; Keras: 0.99; 0: off.',
        parent,
        'max',
      ),
    ),
  ];
}

/** Returns the parameters of a schedule besides its name; equal for both phases. */
export function scheduleParameters(prefix: string, nameParameter: string): readonly ParameterDefinition[] {
  const of = (...names: readonly string[]): ParentCondition => ({ name: nameParameter, anyOf: names });
  const oneCycle = of('one_cycle');
  const cycled: ParentCondition = { name: `${prefix}cycle_momentum`, anyOf: [true] };
  return [
    later(
      real(
        `${prefix}warmup_epochs`,
        0,
        0,
        10_000,
        "Epochs in which the learning rate rises linearly to the phase's, before the schedule; 0: none.",
        of(...SCHEDULES.filter((name) => name !== 'one_cycle')),
      ),
    ),
    real(`${prefix}warmup_start`, 0, 0, 1, "First learning rate of the warm-up, as a part of the phase's.", {
      name: `${prefix}warmup_epochs`,
      above: 0,
    }),
    real(`${prefix}alpha`, 0, 0, 1, "Last learning rate as a part of the phase's.", of('cosine')),
    real(`${prefix}factor`, 0.1, 0, 1, 'Factor of one reduction.', of('step', 'plateau'), 'both'),
    int(`${prefix}step_epochs`, 10, 1, 10_000, 'Epochs from one reduction to the next.', of('step')),
    real(`${prefix}decay_rate`, 0.9, 0, 1, 'Factor of decay_epochs epochs.', of('exponential'), 'min'),
    real(
      `${prefix}decay_epochs`,
      1,
      0,
      10_000,
      'Epochs in which the learning rate becomes decay_rate times as high, a little with each step.',
      of('exponential'),
      'min',
    ),
    int(`${prefix}patience`, 10, 0, 10_000, 'Epochs without improvement before a reduction.', of('plateau')),
    real(`${prefix}min_learning_rate`, 0, 0, 100, 'The learning rate never goes below.', of('plateau')),
    real(
      `${prefix}pct_start`,
      0.3,
      0,
      1,
      "Part of the steps in which the learning rate rises to the phase's.",
      oneCycle,
      'max',
    ),
    real(`${prefix}div_factor`, 25, 1, 1e6, "The phase's learning rate as a multiple of the first.", oneCycle),
    real(`${prefix}final_div_factor`, 1e4, 1, 1e9, 'First learning rate as a multiple of the last.', oneCycle),
    bool(
      `${prefix}cycle_momentum`,
      true,
      "Moves a momentum above 0 (Adam: beta1) opposite to the learning rate, in place of the optimizer's own.",
      oneCycle,
    ),
    real(`${prefix}base_momentum`, 0.85, 0, 1, 'Momentum where the learning rate is highest.', cycled, 'max'),
    real(`${prefix}max_momentum`, 0.95, 0, 1, 'First and last momentum.', cycled, 'max'),
  ];
}
