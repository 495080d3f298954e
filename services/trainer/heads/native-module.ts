import { createRequire } from 'node:module';
import { EngineUnavailableError, threadCount } from '../engine/engine.ts';

/** Below node_modules, where the set-up links what it compiled from `native/`. */
const MODULE = '.graft-native/graft_heads.node';

declare const handle: unique symbol;

/** A head's memory in the module. */
export interface NativeHandle {
  readonly [handle]: true;
}

/** See `native/head.h`; numbers of enumerations count from 0 in the order written there. */
export interface NativeHeadConfig {
  readonly inputs: number;
  /** Of each hidden layer. */
  readonly units: readonly number[];
  readonly outputs: number;
  readonly activation: number;
  readonly dropout: number;
  /** What a value that is kept is multiplied by. */
  readonly dropoutScale: number;
  readonly l2: number;
  readonly rule: number;
  /** RMSprop's and SGD's; Adam's beta 1. */
  readonly momentum: number;
  /** RMSprop's; Adam's beta 2. */
  readonly rho: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly clipping: number;
  readonly clippingLimit: number;
}

/** The functions of `native/binding.cc`. All throw `RangeError` for arrays of a wrong length. */
export interface NativeModule {
  createHead(config: NativeHeadConfig): NativeHandle;
  disposeHead(head: NativeHandle): void;
  /** @param variable kernel and bias of each layer in turn; @param slot −1: the variable itself */
  readVariable(head: NativeHandle, variable: number, slot: number, into: Float32Array): void;
  writeVariable(head: NativeHandle, variable: number, slot: number, values: Float32Array): void;
  /**
   * One optimizer step of each head on the same images.
   *
   * @param features [rows, inputs]
   * @param numbers of each head: learning rate, Adam's beta 1 and beta 2 to the power of the step's number
   * @param seeds two for each dropout mask of each head
   * @param targets [rows, outputs] of each head, one after the other
   * @param sampleWeights [rows] of each head
   * @param logits gets [rows, outputs] of each head
   * @param penalties gets each head's L2 part of the loss
   */
  trainHeads(
    heads: readonly NativeHandle[],
    features: Float32Array,
    rows: number,
    numbers: Float64Array,
    seeds: Int32Array,
    targets: Float32Array,
    sampleWeights: Float32Array,
    logits: Float32Array,
    penalties: Float64Array,
  ): void;
  /** @param logits gets [rows, outputs] of each head, without dropout */
  predictHeads(heads: readonly NativeHandle[], features: Float32Array, rows: number, logits: Float32Array): void;
  penaltyOf(head: NativeHandle): number;
  setThreadCount(count: number): void;
  /** `avx512`, `avx2` or `basic`; GRAFT_HEAD_INSTRUCTIONS chooses one. */
  instructionSet(): string;
}

/** Loaded with TensorFlow's number of threads. */
export const native: NativeModule = loadModule();

function loadModule(): NativeModule {
  try {
    const loaded = createRequire(import.meta.url)(MODULE) as NativeModule;
    loaded.setThreadCount(threadCount);
    return loaded;
  } catch (error) {
    throw new EngineUnavailableError(
      `The heads' native code can't be loaded: ${error instanceof Error ? error.message : String(error)}. ` +
        'Build it with `npm run setup`.',
      { cause: error },
    );
  }
}
