import { createRequire } from 'node:module';
import { EngineUnavailableError, threadCount } from '../engine/engine.ts';

/** Path below node_modules, where the set-up links the module compiled from `native/`. */
const MODULE = '.graft-native/graft_heads.node';

declare const handle: unique symbol;

/** An opaque reference to a head's memory in the module. */
export interface NativeHandle {
  readonly [handle]: true;
}

/** Configuration of a head; see `native/head.h`. Enumerations are numbered from 0 in the order written there. */
export interface NativeHeadConfig {
  readonly inputs: number;
  /** Units of each hidden layer. */
  readonly units: readonly number[];
  readonly outputs: number;
  readonly activation: number;
  readonly dropout: number;
  /** Factor applied to the values that dropout keeps. */
  readonly dropoutScale: number;
  readonly l2: number;
  readonly rule: number;
  /** Rho of RMSprop; beta 2 of Adam. */
  readonly rho: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Batches of one update; 1 without gradient accumulation. */
  readonly accumulationSteps: number;
  /** 1 to keep a moving average of the weights, with which the head predicts; else 0. */
  readonly isAveraged: number;
  readonly clipping: number;
  readonly clippingLimit: number;
}

/** The functions of `native/binding.cc`. All throw `RangeError` for arrays of a wrong length. */
export interface NativeModule {
  createHead(config: NativeHeadConfig): NativeHandle;
  disposeHead(head: NativeHandle): void;
  /** @param variable index over the kernel and bias of each layer; @param slot −1 selects the variable itself. */
  readVariable(head: NativeHandle, variable: number, slot: number, into: Float32Array): void;
  writeVariable(head: NativeHandle, variable: number, slot: number, values: Float32Array): void;
  /**
   * Executes one training step of each head on the same images.
   *
   * @param features [rows, inputs]
   * @param numbers eight per head: learning rate; momentum of RMSprop and SGD, or Adam's beta 1; Adam's beta 1 and beta 2 to the
   *   power of the update's number; 1 if the gradients are applied, 0 if they are only accumulated; the momentum of the weights'
   *   average in this step; gamma of the focal loss (−1: cross-entropy) and its alpha (NaN: none).
   * @param seeds two per dropout mask of each head.
   * @param targets [rows, outputs] of each head, concatenated.
   * @param sampleWeights [rows] of each head.
   * @param logits receives [rows, outputs] of each head.
   * @param penalties receives each head's L2 part of the loss.
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
  /** @param logits receives [rows, outputs] of each head, without dropout. */
  predictHeads(heads: readonly NativeHandle[], features: Float32Array, rows: number, logits: Float32Array): void;
  penaltyOf(head: NativeHandle): number;
  setThreadCount(count: number): void;
  /** Returns `avx512`, `avx2` or `basic`; GRAFT_HEAD_INSTRUCTIONS overrides the choice. */
  instructionSet(): string;
}

/** The native module, loaded with TensorFlow's number of threads. */
export const native: NativeModule = loadModule();

function loadModule(): NativeModule {
  try {
    const loaded = createRequire(import.meta.url)(MODULE) as NativeModule;
    loaded.setThreadCount(threadCount);
    return loaded;
  } catch (error) {
    throw new EngineUnavailableError(
      `The native code of the heads can't be loaded: ${error instanceof Error ? error.message : String(error)}. ` +
        'Build it with `npm run setup`.',
      { cause: error },
    );
  }
}
