import { tf } from '../engine/engine.ts';
import type { Tensor } from '../engine/engine.ts';
import { executeOp, executeOpOutputs, shapeAttribute, stringAttribute, typeAttribute } from '../engine/op.ts';
import { checkLength, elementCount } from './trained-variable.ts';
import type { TrainedVariable } from './trained-variable.ts';

/** TensorFlow's `ResourceHandle::ANONYMOUS_NAME`: the variable lives as long as its handle, and names can't clash. */
const ANONYMOUS_NAME = 'cd2c89b7-88b7-44c8-ad83-06c2a9158347';

const DTYPE = [typeAttribute('dtype', 'float32')];

/**
 * A float32 TensorFlow resource variable. TensorFlow's fused optimizer ops update it in place: 2.4 ms for 3.28 M
 * parameters with RMSprop, compared with 11 ms for tfjs' optimizer.
 */
export class ResourceVariable implements TrainedVariable {
  readonly name: string;
  readonly shape: readonly number[];
  /** Handle for `ResourceApply…` ops. */
  readonly handle: Tensor;
  #source: ResourceVariable = this;

  /** @param values row-major; copied. */
  constructor(name: string, shape: readonly number[], values: Float32Array) {
    this.name = name;
    this.shape = shape;
    this.handle = tf.keep(
      executeOp(
        'VarHandleOp',
        [
          stringAttribute('container', ''),
          stringAttribute('shared_name', ANONYMOUS_NAME),
          typeAttribute('dtype', 'float32'),
          shapeAttribute('shape', shape),
        ],
        [],
      ),
    );
    this.assign(values);
  }

  /**
   * Returns the value as a tensor that the caller owns. Dispose of it before the next optimizer step: TensorFlow copies
   * the whole variable at an update while its buffer is shared.
   */
  read(): Tensor {
    return executeOp('ReadVariableOp', DTYPE, [this.#source.handle]);
  }

  /** Makes reads return the value of another variable of the same shape; null: its own again. */
  readFrom(source: ResourceVariable | null): void {
    this.#source = source ?? this;
  }

  assign(values: Float32Array): void {
    checkLength(this, values);
    // tfjs keeps a reference to the array until the op runs, and TensorFlow may keep the buffer: never share ours.
    const value = tf.tensor(values.slice(), [...this.shape], 'float32');
    this.assignTensor(value);
    value.dispose();
  }

  /** Replaces the value. The caller keeps ownership; the tensor must not outlive the next optimizer step, as in `read`. */
  assignTensor(value: Tensor): void {
    executeOpOutputs('AssignVariableOp', DTYPE, [this.handle, value], 0);
  }

  values(into: Float32Array = new Float32Array(elementCount(this))): Float32Array {
    const value = this.read();
    try {
      into.set(value.dataSync<'float32'>());
      return into;
    } finally {
      value.dispose();
    }
  }

  dispose(): void {
    this.handle.dispose();
  }
}
