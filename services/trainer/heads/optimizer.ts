import { slotNamesOf } from '../../core/network/head-variables.ts';
import type {
  AdamConfig,
  AdamwConfig,
  GradientClipping,
  OptimizerConfig,
  RmspropConfig,
  SgdConfig,
} from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor } from '../engine/engine.ts';
import { boolAttribute, executeOp, executeOpOutputs, typeAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';
import { clipGradients } from './clip-gradients.ts';
import { ResourceVariable } from './resource-variable.ts';

const T = typeAttribute('T', 'float32');
const DTYPE = typeAttribute('dtype', 'float32');
const LOCKING = boolAttribute('use_locking', false);

/**
 * Keras 3.15's optimizers (keras/src/optimizers/{rmsprop,adam,adamw,sgd}.py) on TensorFlow's fused in-place ops. The
 * formulas are the same, including epsilon: inside the root for RMSprop, outside for Adam.
 * `test/parity/optimizers.test.ts` compares them with Keras.
 */
export class Optimizer {
  readonly #clipping: GradientClipping | null;
  readonly #rule: UpdateRule;
  readonly #variables: readonly ResourceVariable[];
  /** Slot variables by slot name, in the order of the variables. */
  readonly #slots: ReadonlyMap<string, readonly ResourceVariable[]>;
  /** Only slots that carry state. The RMSprop op requires a momentum variable even when momentum is 0. */
  readonly #slotNames: readonly string[];
  #iterations = 0;

  /** @param variables the caller keeps ownership. */
  constructor(config: OptimizerConfig, variables: readonly ResourceVariable[]) {
    this.#clipping = config.clipping ?? null;
    this.#rule = createUpdateRule(config);
    this.#variables = variables;
    this.#slotNames = slotNamesOf(config);
    this.#slots = new Map(this.#rule.slotNames.map((slot) => [slot, variables.map((v) => zerosLike(v, slot))]));
  }

  /** Number of steps done; Adam's bias correction depends on it. */
  get iterations(): number {
    return this.#iterations;
  }

  /** Slot variables named `<slot>/<variable>`, ordered by slot. */
  get slotVariables(): readonly ResourceVariable[] {
    return this.#slotNames.flatMap((name) => this.#slots.get(name) ?? []);
  }

  /** Restores the step count after `slotVariables` were assigned from a checkpoint. */
  restoreIterations(iterations: number): void {
    this.#iterations = iterations;
  }

  /** Applies one step. `gradients` has the order and shapes of the variables; the caller keeps ownership. */
  apply(gradients: readonly Tensor[], learningRate: number): void {
    tf.tidy(() => {
      const step = this.#rule.prepare(learningRate, this.#iterations);
      const clipped = this.#clipping === null ? gradients : clipGradients(gradients, this.#clipping);
      for (const [index, variable] of this.#variables.entries()) {
        const gradient = clipped[index];
        if (gradient === undefined) throw new RangeError(`No gradient was given for ${variable.name}.`);
        step(variable, (slot) => this.#slotHandle(slot, index), gradient);
      }
    });
    this.#iterations += 1;
  }

  dispose(): void {
    for (const slot of [...this.#slots.values()].flat()) slot.dispose();
    this.#rule.dispose();
  }

  #slotHandle(slot: string, index: number): Tensor {
    const variable = this.#slots.get(slot)?.[index];
    if (variable === undefined) throw new RangeError(`The optimizer has no slot ${slot} number ${index}.`);
    return variable.handle;
  }
}

type UpdateStep = (variable: ResourceVariable, slot: (name: string) => Tensor, gradient: Tensor) => void;

interface UpdateRule {
  readonly slotNames: readonly string[];
  /** Prepares the update of one step; tensors created here belong to the enclosing tidy. */
  prepare(learningRate: number, iterations: number): UpdateStep;
  dispose(): void;
}

function createUpdateRule(config: OptimizerConfig): UpdateRule {
  switch (config.name) {
    case 'rmsprop':
      return createRmspropRule(config);
    case 'adam':
      return createAdamRule(config, 0);
    case 'adamw':
      return createAdamRule(config, config.weightDecay);
    case 'sgd':
      return createSgdRule(config);
  }
}

function createRmspropRule(config: RmspropConfig): UpdateRule {
  const constants = keepScalars([config.rho, config.momentum, config.epsilon]);
  const name = config.centered ? 'ResourceApplyCenteredRMSProp' : 'ResourceApplyRMSProp';
  // Input order of the op: var, [mg,] ms, mom, lr, rho, momentum, epsilon, grad.
  const slotNames = config.centered ? ['average_gradient', 'velocity', 'momentum'] : ['velocity', 'momentum'];
  return {
    slotNames,
    prepare(learningRate) {
      const lr = tf.scalar(learningRate);
      return (variable, slot, gradient) =>
        applyOp(name, [T, LOCKING], [variable.handle, ...slotNames.map(slot), lr, ...constants, gradient]);
    },
    dispose: () => tf.dispose([...constants]),
  };
}

function createAdamRule(config: AdamConfig | AdamwConfig, weightDecay: number): UpdateRule {
  const constants = keepScalars([config.beta1, config.beta2, config.epsilon]);
  const attributes = [T, LOCKING, boolAttribute('use_nesterov', false)];
  return {
    slotNames: ['momentum', 'velocity'],
    prepare(learningRate, iterations) {
      const lr = tf.scalar(learningRate);
      const beta1Power = tf.scalar(Math.pow(Math.fround(config.beta1), iterations + 1));
      const beta2Power = tf.scalar(Math.pow(Math.fround(config.beta2), iterations + 1));
      return (variable, slot, gradient) => {
        if (weightDecay !== 0) decay(variable, weightDecay, learningRate);
        const slots = [slot('momentum'), slot('velocity')];
        applyOp('ResourceApplyAdam', attributes, [
          variable.handle,
          ...slots,
          beta1Power,
          beta2Power,
          lr,
          ...constants,
          gradient,
        ]);
      };
    },
    dispose: () => tf.dispose([...constants]),
  };
}

/** Applies Keras' `variable - variable * weight_decay * learning_rate` before the update, to biases as well. */
function decay(variable: ResourceVariable, weightDecay: number, learningRate: number): void {
  const value = variable.read();
  const decayed = executeOp('Mul', [T], [value, tf.scalar(weightDecay)]);
  const delta = executeOp('Mul', [T], [decayed, tf.scalar(learningRate)]);
  value.dispose();
  applyOp('AssignSubVariableOp', [DTYPE], [variable.handle, delta]);
}

function createSgdRule(config: SgdConfig): UpdateRule {
  if (config.momentum === 0) {
    return {
      slotNames: [],
      prepare(learningRate) {
        const lr = tf.scalar(learningRate);
        return (variable, _slot, gradient) =>
          applyOp('ResourceApplyGradientDescent', [T, LOCKING], [variable.handle, lr, gradient]);
      },
      dispose: () => undefined,
    };
  }
  const [momentum] = keepScalars([config.momentum]);
  if (momentum === undefined) throw new RangeError('unreachable: one scalar was made');
  const attributes = [T, LOCKING, boolAttribute('use_nesterov', config.nesterov)];
  return {
    slotNames: ['momentum'],
    prepare(learningRate) {
      const lr = tf.scalar(learningRate);
      return (variable, slot, gradient) =>
        applyOp('ResourceApplyKerasMomentum', attributes, [variable.handle, slot('momentum'), lr, gradient, momentum]);
    },
    dispose: () => tf.dispose([momentum]),
  };
}

function applyOp(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[]): void {
  executeOpOutputs(name, attributes, inputs, 0);
}

function keepScalars(values: readonly number[]): readonly Tensor[] {
  return values.map((value) => tf.keep(tf.scalar(value)));
}

function zerosLike(variable: ResourceVariable, slot: string): ResourceVariable {
  const count = variable.shape.reduce((product, size) => product * size, 1);
  return new ResourceVariable(`${slot}/${variable.name}`, variable.shape, new Float32Array(count));
}
