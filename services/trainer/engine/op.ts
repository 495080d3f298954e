import { nodeBackend } from './engine.ts';
import type { Tensor } from './engine.ts';

/** TensorFlow's codes of element types (`tensorflow/c/tf_datatype.h`). */
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

/** An attribute of an op for the binding. Create it once and keep it: it is read at every call. */
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
 * Runs a TensorFlow op with one output by its registered name. The enclosing `tf.tidy` owns the output, but the call is not on
 * tfjs' gradient tape. tfjs names uint8 tensors `int32` and resource handles `string`: pass the true type with `typeAttribute`.
 *
 * @throws {Error} with TensorFlow's message when the op rejects its inputs.
 */
export function executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly Tensor[]): Tensor {
  return nodeBackend().executeSingleOutput(name, attributes, inputs);
}

/** Runs an op with any number of outputs, like `executeOp`; `AssignVariableOp` has 0. */
export function executeOpOutputs(
  name: string,
  attributes: readonly OpAttribute[],
  inputs: readonly Tensor[],
  outputCount: number,
): Tensor[] {
  return nodeBackend().executeMultipleOutputs(name, attributes, inputs, outputCount);
}
