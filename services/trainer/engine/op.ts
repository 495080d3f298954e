import { nodeBackend } from './engine.ts';
import type { Tensor } from './engine.ts';

/** TensorFlow's numbers of element types (`tensorflow/c/tf_datatype.h`). */
const DATA_TYPES = {
  float32: 1,
  int32: 3,
  uint8: 4,
  string: 7,
  int64: 9,
  bool: 10,
  resource: 20,
} as const;

export type DataTypeName = keyof typeof DATA_TYPES;

/** An attribute of an op, ready for the binding. Make them once and keep them: they are read at every call. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

export function typeAttribute(name: string, value: DataTypeName): OpAttribute {
  return { name, type: nodeBackend().binding.TF_ATTR_TYPE, value: DATA_TYPES[value] };
}

export function typesAttribute(name: string, values: readonly DataTypeName[]): OpAttribute {
  return { name, type: nodeBackend().binding.TF_ATTR_TYPE, value: values.map((value) => DATA_TYPES[value]) };
}

export function intAttribute(name: string, value: number | readonly number[]): OpAttribute {
  return { name, type: nodeBackend().binding.TF_ATTR_INT, value };
}

export function boolAttribute(name: string, value: boolean): OpAttribute {
  return { name, type: nodeBackend().binding.TF_ATTR_BOOL, value };
}

export function stringAttribute(name: string, value: string | readonly string[]): OpAttribute {
  return { name, type: nodeBackend().binding.TF_ATTR_STRING, value };
}

export function shapeAttribute(name: string, value: readonly number[]): OpAttribute {
  return { name, type: nodeBackend().binding.TF_ATTR_SHAPE, value };
}

/**
 * Runs a TensorFlow op by its registered name and returns its one output. The result belongs to the enclosing
 * `tf.tidy`, but the call isn't seen by tfjs' gradient tape. Note that tfjs names uint8 tensors `int32` and resource
 * handles `string`: pass the true type with `typeAttribute`.
 *
 * @throws Error with TensorFlow's message when the op rejects its inputs.
 */
export function executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[]): Tensor {
  return nodeBackend().executeSingleOutput(name, attributes, inputs);
}

/** As `executeOp`, for ops with another number of outputs than one (0: none, for example `AssignVariableOp`). */
export function executeOpOutputs(
  name: string,
  attributes: readonly OpAttribute[],
  inputs: readonly Tensor[],
  outputCount: number,
): Tensor[] {
  return nodeBackend().executeMultipleOutputs(name, attributes, inputs, outputCount);
}
