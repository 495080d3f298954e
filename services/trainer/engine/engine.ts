import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus, totalmem } from 'node:os';
import util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import type { EngineInfo } from './engine-info.ts';

export type Tensor = tfjs.Tensor;
export type Tensor1D = tfjs.Tensor1D;
export type Tensor2D = tfjs.Tensor2D;
export type Tensor4D = tfjs.Tensor4D;
export type Scalar = tfjs.Scalar;

/** Thrown when the TensorFlow binding can't be loaded; the message says how to build it. */
export class EngineUnavailableError extends Error {
  override readonly name = 'EngineUnavailableError';
}

/**
 * TensorFlow. Importing this module loads the native library (about a second), so only worker processes may do it.
 * `GRAFT_SLOT_THREADS` (intra-op threads) must be set before.
 */
export const tf: typeof tfjs = loadTensorflow();

/** Number of TensorFlow's intra-op threads. Results are repeatable to the last bit only for the same number. */
export const threadCount = Number(process.env['TF_NUM_INTRAOP_THREADS']);

function loadTensorflow(): typeof tfjs {
  // The native library reads these variables once, when it is loaded.
  const threads = process.env['GRAFT_SLOT_THREADS'] ?? process.env['TF_NUM_INTRAOP_THREADS'] ?? String(cpus().length);
  process.env['TF_NUM_INTRAOP_THREADS'] = threads;
  process.env['TF_NUM_INTEROP_THREADS'] ??= '1';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  replaceDeprecatedUtil();
  try {
    // CommonJS, because an `import` would run before the lines above.
    return createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu') as typeof tfjs;
  } catch (error) {
    throw new EngineUnavailableError(
      `TensorFlow can't be loaded: ${error instanceof Error ? error.message : String(error)}. ` +
        'Build the engine with `npm run setup`.',
      { cause: error },
    );
  }
}

/** Replaces two deprecated functions that the binding calls for each op, and about which Node 22 warns. */
function replaceDeprecatedUtil(): void {
  Object.assign(util, {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: (value: unknown) => Array.isArray(value),
  });
}

/** Returns the engine and the device of this process. */
export function engineInfo(): EngineInfo {
  const backend = nodeBackend();
  const gpu = backend.isUsingGpuDevice ? describeGpu() : null;
  return {
    engineVersion: `tensorflow ${backend.binding.TF_Version}, tfjs-node ${tf.version['tfjs-node']}`,
    deviceKind: backend.isUsingGpuDevice ? 'gpu' : 'cpu',
    deviceName: gpu?.name ?? cpus()[0]?.model ?? 'CPU',
    threadCount,
    memoryBytes: gpu?.memoryBytes ?? availableMemoryBytes(),
  };
}

interface NativeBinding {
  readonly TF_Version: string;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
}

interface NativeAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The part of tfjs-node's backend that Graft calls; tfjs' own type does not export it. */
export interface NativeBackend {
  readonly binding: NativeBinding;
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(name: string, attributes: readonly NativeAttribute[], inputs: readonly Tensor[]): Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly NativeAttribute[],
    inputs: readonly Tensor[],
    outputCount: number,
  ): Tensor[];
}

/** Returns tfjs-node's backend. */
export function nodeBackend(): NativeBackend {
  return tf.backend() as unknown as NativeBackend;
}

function availableMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

function describeGpu(): { readonly name: string; readonly memoryBytes: number } {
  try {
    const query = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits'];
    // CUDA_VISIBLE_DEVICES hides devices from TensorFlow but not from nvidia-smi.
    const visible = process.env['CUDA_VISIBLE_DEVICES']?.split(',')[0];
    const selection = visible === undefined || visible === '' ? [] : ['--id=' + visible];
    const line = execFileSync('nvidia-smi', [...query, ...selection], { encoding: 'utf8' }).split('\n')[0] ?? '';
    const [name, mebibytes] = line.split(', ');
    return { name: name ?? 'GPU', memoryBytes: Number(mebibytes) * 2 ** 20 };
  } catch {
    return { name: 'GPU', memoryBytes: 0 };
  }
}
