import { momentumOf } from '../../../../services/core/network/head-variables.ts';
import type { HeadConfig, OptimizerConfig } from '../../../../services/core/run-config.ts';
import { createStream, dropoutStream } from '../../../../services/core/rng/stream.ts';
import { unmixed } from '../../../../services/trainer/heads/batch-labels.ts';
import { Loss } from '../../../../services/trainer/heads/loss.ts';
import { NativeHead, trainHeads } from '../../../../services/trainer/heads/native-head.ts';

export interface Variant {
  readonly name: string;
  readonly head: HeadConfig;
  readonly optimizer: OptimizerConfig;
  readonly classCount: number;
  readonly smoothing: number;
  readonly classWeights: readonly number[] | null;
  readonly seed: number;
  /** true to change the momentum with every step. */
  readonly cyclesMomentum: boolean;
}

export const FEATURES = 70;
export const IMAGES = 208;
const BATCH = 32;

export const HEAD: HeadConfig = { pooling: 'avg', units: 48, layers: 1, activation: 'relu', dropout: 0.4, l2: 0 };
const RMSPROP = { name: 'rmsprop', learningRate: 1e-3, rho: 0.9, momentum: 0, epsilon: 1e-7, centered: false } as const;
const ADAM = { name: 'adam', learningRate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;
const SGD = { name: 'sgd', learningRate: 0.02, momentum: 0, nesterov: false } as const;

export function variant(name: string, changes: Partial<Omit<Variant, 'name'>>): Variant {
  const defaults = { head: HEAD, optimizer: RMSPROP, classCount: 2, smoothing: 0, classWeights: null, seed: 1 };
  return { name, cyclesMomentum: false, ...defaults, ...changes };
}

/** Variants for all optimizers, sizes on both sides of register and thread boundaries, and every setting of a head. */
export const VARIANTS: readonly Variant[] = [
  variant('rmsprop', {}),
  variant('rmsprop, momentum', { optimizer: { ...RMSPROP, momentum: 0.9, learningRate: 3e-4 }, seed: 2 }),
  variant('rmsprop, centered', { optimizer: { ...RMSPROP, centered: true }, head: { ...HEAD, units: 64, l2: 0.01 } }),
  variant('rmsprop, centered, momentum', { optimizer: { ...RMSPROP, centered: true, momentum: 0.5 }, smoothing: 0.1 }),
  variant('adam', { optimizer: ADAM, head: { ...HEAD, units: 33, activation: 'tanh' } }),
  variant('adamw', { optimizer: { ...ADAM, name: 'adamw', weightDecay: 0.05 }, classWeights: [0.5, 1.5] }),
  variant('sgd', { optimizer: SGD, head: { ...HEAD, units: 7, dropout: 0 } }),
  variant('sgd, momentum', { optimizer: { ...SGD, momentum: 0.9 }, head: { ...HEAD, activation: 'gelu' } }),
  variant('sgd, nesterov', { optimizer: { ...SGD, momentum: 0.9, nesterov: true }, head: { ...HEAD, units: 130 } }),
  variant('two hidden layers', { head: { ...HEAD, layers: 2, activation: 'swish', l2: 0.001 }, seed: 7 }),
  variant('three hidden layers, three classes', { head: { ...HEAD, layers: 3, units: 20 }, classCount: 3, seed: 8 }),
  variant('no hidden layer', { head: { ...HEAD, units: 0 }, classCount: 5, classWeights: [1, 2, 3, 1, 0.5] }),
  variant('no hidden layer, no dropout', { head: { ...HEAD, units: 0, dropout: 0, l2: 0.1 }, optimizer: ADAM }),
  variant('clipped by norm', { optimizer: { ...RMSPROP, clipping: { by: 'norm', limit: 0.05 } }, smoothing: 0.2 }),
  variant('clipped together', { optimizer: { ...SGD, clipping: { by: 'global_norm', limit: 0.1 } }, seed: 9 }),
  variant('clipped by value', {
    optimizer: { ...ADAM, clipping: { by: 'value', limit: 0.003 } },
    head: { ...HEAD, l2: 0.1 },
  }),
  variant('accumulated', { optimizer: { ...RMSPROP, gradientAccumulationSteps: 3 }, head: { ...HEAD, l2: 0.01 } }),
  variant('accumulated, clipped by norm', {
    optimizer: { ...ADAM, gradientAccumulationSteps: 2, clipping: { by: 'norm', limit: 0.02 } },
    head: { ...HEAD, units: 33, l2: 0.01 },
  }),
  variant('averaged', { optimizer: { ...SGD, momentum: 0.9, emaMomentum: 0.9 }, head: { ...HEAD, l2: 0.01 } }),
  variant('accumulated and averaged, momentum cycled', {
    optimizer: { ...ADAM, name: 'adamw', weightDecay: 0.05, gradientAccumulationSteps: 2, emaMomentum: 0.8 },
    cyclesMomentum: true,
    classCount: 3,
  }),
  variant('momentum cycled', { optimizer: { ...RMSPROP, momentum: 0.9, learningRate: 3e-4 }, cyclesMomentum: true }),
];

export const labels = Array.from({ length: IMAGES }, (_, image) => image % 2);
export const features = createStream('features').fillUniform(new Float32Array(IMAGES * FEATURES), -1, 1);
for (const [image, label] of labels.entries()) {
  for (let column = 0; column < 10; column++)
    features[image * FEATURES + column] = (features[image * FEATURES + column] ?? 0) + label;
}

export interface NativeRun {
  readonly variant: Variant;
  readonly head: NativeHead;
  readonly loss: Loss;
}

export function start(variants: readonly Variant[]): readonly NativeRun[] {
  return variants.map((variant) => ({
    variant,
    head: new NativeHead(variant.head, variant.optimizer, FEATURES, variant.classCount, variant.seed),
    loss: new Loss(variant.classCount, variant.smoothing, variant.classWeights),
  }));
}

/** Returns the row range of a step; the epoch's last batch is smaller. */
export function rowsOf(step: number): { readonly first: number; readonly last: number } {
  const stepsPerEpoch = Math.ceil(IMAGES / BATCH);
  const first = (step % stepsPerEpoch) * BATCH;
  return { first, last: Math.min(IMAGES, first + BATCH) };
}

export function learningRate({ optimizer }: Variant, step: number): number {
  return optimizer.learningRate / (1 + 0.1 * step);
}

export function momentum({ optimizer, cyclesMomentum }: Variant, step: number): number {
  return cyclesMomentum ? 0.95 - 0.02 * (step % 5) : momentumOf(optimizer);
}

export function stepTogether(
  runs: readonly NativeRun[],
  step: number,
): readonly { logits: Float32Array; penalty: number }[] {
  const { first, last } = rowsOf(step);
  return trainHeads(
    runs.map(({ variant, head, loss }) => ({
      head,
      loss,
      learningRate: learningRate(variant, step),
      momentum: momentum(variant, step),
      dropout: dropoutStream(variant.seed, 'HEAD', step),
    })),
    features.subarray(first * FEATURES, last * FEATURES),
    unmixed(labels.slice(first, last)),
  );
}

export function stateOf({ variables, slotVariables }: NativeHead): readonly Float32Array[] {
  return [...variables, ...slotVariables].map((variable) => variable.values());
}

/** Number of steps in one epoch. */
export const STEPS = Math.ceil(IMAGES / BATCH);
