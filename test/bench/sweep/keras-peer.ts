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
  /** Safetensors file with `<layer>/<weight>`; null: as Keras initialises. */
  readonly weights: string | null;
  /** Height and width in pixels. */
  readonly size: number;
  /** Folder with train, validation and test. */
  readonly root: string;
  readonly batchSize: number;
  readonly seed: number;
}

/** `model.fit` of one run, then `evaluate` on the test split. */
export interface PeerFit extends PeerBase {
  readonly kind: 'fit';
  /** Where the base's weights are written for the other side; null: nowhere. */
  readonly saveWeights: string | null;
  readonly head: PeerHead;
  /** Parts of a full turn and of the size; null: none. */
  readonly augmentation: { readonly rotation: number; readonly zoom: number } | null;
  /** Lowest layer of the base that trains; null: none. */
  readonly unfreezeFrom: string | null;
  readonly learningRate: number;
  readonly epochs: number;
  /** Whether both values of `jit_compile` are tried; else it is off. */
  readonly tuneJit: boolean;
}

/** `predict` of the frozen base. */
export interface PeerPredict extends PeerBase {
  readonly kind: 'predict';
  readonly imageCount: number;
  readonly rounds: number;
  /** `jit_compile`; null: both are tried. */
  readonly jit: boolean | null;
}

export interface FitAnswer {
  /** Of `fit` alone: neither the start, nor the decoding of the images, nor the choice of `jit_compile` counts. */
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

/** Runs a job in a Python process of its own. */
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
