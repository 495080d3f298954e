import { ACCUMULATOR_SLOT, AVERAGE_SLOT, momentumOf, slotNamesOf } from '../../core/network/head-variables.ts';
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
import { stepRole } from './step-role.ts';
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
  readonly #config: OptimizerConfig;
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
    this.#config = config;
    this.#clipping = config.clipping ?? null;
    this.#rule = createUpdateRule(config);
    this.#variables = variables;
    this.#slotNames = slotNamesOf(config);
    const slotNames = new Set([...this.#rule.slotNames, ...this.#slotNames]);
    this.#slots = new Map([...slotNames].map((slot) => [slot, variables.map((v) => zerosLike(v, slot))]));
  }

  /** Number of steps done, on which Adam's bias correction and the accumulation of gradients depend. */
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

  /**
   * Applies or accumulates the gradients of one step, and moves the average of the weights.
   *
   * @param gradients in the order and shapes of the variables; the caller keeps ownership.
   * @param momentum of RMSprop and SGD, or Adam's beta 1; the optimizer's own by default.
   */
  apply(gradients: readonly Tensor[], learningRate: number, momentum = momentumOf(this.#config)): void {
    const { updateCount, isUpdate, averageMomentum } = stepRole(this.#config, this.#iterations);
    tf.tidy(() => {
      if (isUpdate) this.#update(this.#accumulated(gradients), { learningRate, updateCount, momentum });
      else this.#accumulate(gradients);
      this.#moveAverages(averageMomentum);
    });
    this.#iterations += 1;
  }

  /** Calls a function while the variables have the values of their moving averages, if there are any. */
  withAverages<T>(compute: () => T): T {
    const averages = this.#slots.get(AVERAGE_SLOT);
    if (averages === undefined) return compute();
    for (const [index, variable] of this.#variables.entries()) variable.readFrom(averages[index] ?? null);
    try {
      return compute();
    } finally {
      for (const variable of this.#variables) variable.readFrom(null);
    }
  }

  dispose(): void {
    for (const slot of [...this.#slots.values()].flat()) slot.dispose();
    this.#rule.dispose();
  }

  #update(gradients: readonly Tensor[], inputs: UpdateInputs): void {
    const step = this.#rule.prepare(inputs);
    const clipped = this.#clipping === null ? gradients : clipGradients(gradients, this.#clipping);
    for (const [index, variable] of this.#variables.entries()) {
      step(variable, (slot) => this.#slot(slot, index).handle, gradientAt(clipped, index));
    }
  }

  /** Returns the mean of the accumulated and the given gradients, and resets the accumulated ones. */
  #accumulated(gradients: readonly Tensor[]): readonly Tensor[] {
    const { gradientAccumulationSteps: steps } = this.#config;
    if (steps === undefined) return gradients;
    return this.#variables.map((_, index) => {
      const accumulator = this.#slot(ACCUMULATOR_SLOT, index);
      const mean = tf.div(tf.add(gradientAt(gradients, index), accumulator.read()), steps);
      accumulator.assignTensor(tf.zerosLike(mean));
      return mean;
    });
  }

  #accumulate(gradients: readonly Tensor[]): void {
    for (const index of this.#variables.keys()) {
      const { handle } = this.#slot(ACCUMULATOR_SLOT, index);
      applyOp('AssignAddVariableOp', [DTYPE], [handle, gradientAt(gradients, index)]);
    }
  }

  /** Keras: momentum · average + (1 − momentum) · variable. */
  #moveAverages(momentum: number): void {
    if (!this.#slots.has(AVERAGE_SLOT)) return;
    const kept = tf.scalar(momentum);
    const added = tf.scalar(1 - Math.fround(momentum));
    for (const [index, variable] of this.#variables.entries()) {
      const average = this.#slot(AVERAGE_SLOT, index);
      average.assignTensor(tf.add(tf.mul(average.read(), kept), tf.mul(variable.read(), added)));
    }
  }

  #slot(slot: string, index: number): ResourceVariable {
    const variable = this.#slots.get(slot)?.[index];
    if (variable === undefined) throw new RangeError(`The optimizer has no slot ${slot} number ${index}.`);
    return variable;
  }
}

function gradientAt(gradients: readonly Tensor[], index: number): Tensor {
  const gradient = gradients[index];
  if (gradient === undefined) throw new RangeError(`No gradient was given for variable ${index}.`);
  return gradient;
}

interface UpdateInputs {
  readonly learningRate: number;
  /** Updates before this one. */
  readonly updateCount: number;
  readonly momentum: number;
}

type UpdateStep = (variable: ResourceVariable, slot: (name: string) => Tensor, gradient: Tensor) => void;

interface UpdateRule {
  readonly slotNames: readonly string[];
  /** Prepares the update of one step; tensors created here belong to the enclosing tidy. */
  prepare(inputs: UpdateInputs): UpdateStep;
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
  const [rho, epsilon] = keepScalars([config.rho, config.epsilon]);
  const name = config.centered ? 'ResourceApplyCenteredRMSProp' : 'ResourceApplyRMSProp';
  // Input order of the op: var, [mg,] ms, mom, lr, rho, momentum, epsilon, grad.
  const slotNames = config.centered ? ['average_gradient', 'velocity', 'momentum'] : ['velocity', 'momentum'];
  return {
    slotNames,
    prepare({ learningRate, momentum }) {
      const constants = [tf.scalar(learningRate), rho, tf.scalar(momentum), epsilon];
      return (variable, slot, gradient) =>
        applyOp(name, [T, LOCKING], [variable.handle, ...slotNames.map(slot), ...constants, gradient]);
    },
    dispose: () => tf.dispose([rho, epsilon]),
  };
}

function createAdamRule(config: AdamConfig | AdamwConfig, weightDecay: number): UpdateRule {
  const [beta2, epsilon] = keepScalars([config.beta2, config.epsilon]);
  const attributes = [T, LOCKING, boolAttribute('use_nesterov', false)];
  return {
    slotNames: ['momentum', 'velocity'],
    prepare({ learningRate, updateCount, momentum }) {
      const lr = tf.scalar(learningRate);
      const beta1 = tf.scalar(momentum);
      const beta1Power = tf.scalar(Math.pow(Math.fround(momentum), updateCount + 1));
      const beta2Power = tf.scalar(Math.pow(Math.fround(config.beta2), updateCount + 1));
      return (variable, slot, gradient) => {
        if (weightDecay !== 0) decay(variable, weightDecay, learningRate);
        const slots = [slot('momentum'), slot('velocity')];
        applyOp('ResourceApplyAdam', attributes, [
          variable.handle,
          ...slots,
          beta1Power,
          beta2Power,
          lr,
          beta1,
          beta2,
          epsilon,
          gradient,
        ]);
      };
    },
    dispose: () => tf.dispose([beta2, epsilon]),
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
      prepare({ learningRate }) {
        const lr = tf.scalar(learningRate);
        return (variable, _slot, gradient) =>
          applyOp('ResourceApplyGradientDescent', [T, LOCKING], [variable.handle, lr, gradient]);
      },
      dispose: () => undefined,
    };
  }
  const attributes = [T, LOCKING, boolAttribute('use_nesterov', config.nesterov)];
  return {
    slotNames: ['momentum'],
    prepare({ learningRate, momentum }) {
      const lr = tf.scalar(learningRate);
      const share = tf.scalar(momentum);
      return (variable, slot, gradient) =>
        applyOp('ResourceApplyKerasMomentum', attributes, [variable.handle, slot('momentum'), lr, gradient, share]);
    },
    dispose: () => undefined,
  };
}

function applyOp(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[]): void {
  executeOpOutputs(name, attributes, inputs, 0);
}

function keepScalars([first, second]: readonly [number, number]): readonly [Tensor, Tensor] {
  return [tf.keep(tf.scalar(first)), tf.keep(tf.scalar(second))];
}

function zerosLike(variable: ResourceVariable, slot: string): ResourceVariable {
  const count = variable.shape.reduce((product, size) => product * size, 1);
  return new ResourceVariable(`${slot}/${variable.name}`, variable.shape, new Float32Array(count));
}
