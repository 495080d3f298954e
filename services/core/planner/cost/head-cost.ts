import type { DeviceSpeed } from './device-speed.ts';

const FLOAT_BYTES = 4;

/**
 * Bytes that one weight moves in a training step: it is read for the outputs, then read and written with the optimizer's state
 * as its gradient comes out of the registers (`trainer/heads/native`).
 */
const STEP_BYTES_PER_WEIGHT = 5 * FLOAT_BYTES;

/** Multiply-adds per image and weight in a training step: outputs and the weights' gradient; the features need none. */
const TRAINING_PRODUCTS = 2;

/** Seconds that a head adds to one training step of its group. */
export function headStepSeconds(speed: DeviceSpeed, weightCount: number, batchSize: number): number {
  const moved = (weightCount * STEP_BYTES_PER_WEIGHT) / speed.bytesPerSecond;
  return (
    speed.headStepSeconds + moved + headGflop(weightCount, batchSize, TRAINING_PRODUCTS) / speed.headGflopPerSecond
  );
}

/** Seconds of a head's pass over images without training. */
export function headForwardSeconds(speed: DeviceSpeed, weightCount: number, imageCount: number): number {
  return headGflop(weightCount, imageCount, 1) / speed.headGflopPerSecond;
}

function headGflop(weightCount: number, imageCount: number, products: number): number {
  return (products * 2 * weightCount * imageCount) / 1e9;
}
