import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runPython } from '../../parity/keras-venv.ts';

/** Head of both sides: pooling, one hidden layer, dropout, one sigmoid. */
export interface PeerHead {
  readonly pooling: 'flatten' | 'avg';
  readonly units: number;
  readonly activation: string;
  readonly dropout: number;
}

interface PeerBase {
  readonly backbone: string;
  /** Safetensors file with `<layer>/<weight>`; null: Keras' initial weights. */
  readonly weights: string | null;
  /** Height and width in pixels. */
  readonly size: number;
  /** Folder with train, validation and test. */
  readonly root: string;
  readonly batchSize: number;
  readonly seed: number;
}

/** A job that runs `model.fit` for one run, then `evaluate` on the test split. */
export interface PeerFit extends PeerBase {
  readonly kind: 'fit';
  /** File for the base's weights for the other side; null: not written. */
  readonly saveWeights: string | null;
  readonly head: PeerHead;
  /** Fractions of a full turn and of the size; null: no augmentation. */
  readonly augmentation: { readonly rotation: number; readonly zoom: number } | null;
  /** Lowest trained layer of the base; null: none. */
  readonly unfreezeFrom: string | null;
  readonly learningRate: number;
  readonly epochs: number;
  /** true if both values of `jit_compile` are measured; otherwise it is off. */
  readonly tuneJit: boolean;
}

/** A job that runs `predict` of the frozen base. */
export interface PeerPredict extends PeerBase {
  readonly kind: 'predict';
  readonly imageCount: number;
  readonly rounds: number;
  /** `jit_compile`; null: both values are measured. */
  readonly jit: boolean | null;
}

export interface FitAnswer {
  /** Seconds of `fit` alone, without the start, the decoding of the images and the choice of `jit_compile`. */
  readonly seconds: number;
  readonly epochSeconds: readonly number[];
  readonly jit: boolean;
  readonly valAccuracies: readonly number[];
  readonly testAccuracy: number;
  readonly peakMemoryBytes: number;
}

export interface PredictAnswer {
  readonly imagesPerSecond: number;
  readonly jit: boolean;
}

/** Runs a job in a separate Python process. */
export class KerasPeer {
  readonly #python: string;
  readonly #folder: string;
  #jobCount = 0;

  constructor(python: string, folder: string) {
    this.#python = python;
    this.#folder = folder;
  }

  fit(job: PeerFit): Promise<FitAnswer> {
    return this.#run<FitAnswer>(job);
  }

  predict(job: PeerPredict): Promise<PredictAnswer> {
    return this.#run<PredictAnswer>(job);
  }

  async #run<T>(job: PeerFit | PeerPredict): Promise<T> {
    const path = join(this.#folder, `peer-${++this.#jobCount}.json`);
    writeFileSync(path, JSON.stringify(job));
    const script = fileURLToPath(new URL('keras_peer.py', import.meta.url));
    return JSON.parse(await runPython(this.#python, script, [path])) as T;
  }
}
