import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HeadConfig } from '../../services/core/run-config.ts';
import type { Split } from '../../services/core/dataset.ts';
import { runPython } from './keras-venv.ts';

/** Loss and accuracy of one step, or of an epoch's steps. */
export interface Measurement {
  readonly loss: number;
  readonly accuracy: number;
}

export interface EpochMeasurement extends Measurement {
  readonly val_loss: number;
  readonly val_accuracy: number;
}

export interface TestCount {
  readonly correct: number;
  readonly count: number;
}

/** A job for `training-curves.py`, which trains phase after phase. */
export interface KerasJob {
  readonly backbone: string;
  /** Safetensors file with `<layer>/<weight>`. */
  readonly weights: string;
  /** Height and width in pixels. */
  readonly size: number;
  /** Folder that the paths are relative to. */
  readonly root: string;
  readonly splits: Readonly<Record<Split, { readonly paths: readonly string[]; readonly labels: readonly number[] }>>;
  readonly head: Pick<HeadConfig, 'pooling' | 'units' | 'layers' | 'activation'>;
  /** true to neither compile with XLA, which takes longer than twenty steps, nor evaluate on the test split. */
  readonly isQuick: boolean;
  /** Seed of Keras' own dropout and augmentation. */
  readonly seed: number;
  readonly phases: readonly KerasPhase[];
}

export interface KerasOptimizer {
  readonly name: string;
  readonly learningRate: number;
  /** Keras' arguments of the same meaning; with an average, `SwapEMAWeights` swaps it in for validation and the best epoch. */
  readonly gradientAccumulationSteps?: number;
  readonly emaMomentum?: number;
  /** `CosineDecay` after a warm-up from `start` times the rate, instead of a constant rate. */
  readonly cosine?: {
    readonly start: number;
    readonly warmupSteps: number;
    readonly decaySteps: number;
    readonly alpha: number;
  };
}

export interface KerasPhase {
  /** `cached`: the head alone, on stored features. */
  readonly method: 'cached' | 'end-to-end';
  /** Safetensors file with `head/…`; null: continues from the best epoch of the previous phase. */
  readonly headWeights: string | null;
  /** Lowest trained layer of the base; null: none. */
  readonly unfreezeFrom: string | null;
  /** Safetensors file for the base's weights of the best epoch; null: none. */
  readonly weightsFile: string | null;
  readonly dropout: number;
  /** Fractions of a full turn and of the size; null: no augmentation. */
  readonly augmentation: { readonly rotation: number; readonly zoom: number } | null;
  /** Optimizer; everything else has Keras' defaults. */
  readonly optimizer: KerasOptimizer;
  /** Image indices, by epoch and step. */
  readonly batches: readonly (readonly (readonly number[])[])[];
}

export interface KerasCurve {
  readonly steps: readonly Measurement[];
  readonly epochs: readonly EpochMeasurement[];
  /** Names of the base's tensors that could change. */
  readonly trained: readonly string[];
  /** Test result of the best epoch; null for a quick job. */
  readonly test: TestCount | null;
}

/** @param folder folder for the job file. */
export async function trainInKeras(python: string, folder: string, job: KerasJob): Promise<readonly KerasCurve[]> {
  const path = join(folder, `job-${job.backbone}.json`);
  writeFileSync(path, JSON.stringify(job));
  const output = await runPython(python, 'training-curves.py', [path]);
  return (JSON.parse(output) as { phases: KerasCurve[] }).phases;
}
