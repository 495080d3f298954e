/** The device of the slots that a plan is made for. */
export interface Device {
  readonly kind: 'cpu' | 'gpu';
  /** Intra-op threads of a slot. */
  readonly threadCount: number;
}

/** How quick a slot is. Every figure is a first guess that measurements of the cluster correct (`corrections.ts`). */
export interface DeviceSpeed {
  /** Convolutions, GFLOP per second. */
  readonly gflopPerSecond: number;
  /** Layers that compute little and move much (depthwise, activation, addition): values put out per second. */
  readonly valuesPerSecond: number;
  /** What is streamed through memory once per step: weights, gradients, optimizer state. */
  readonly bytesPerSecond: number;
  /** Matrix products of heads, GFLOP per second. */
  readonly headGflopPerSecond: number;
  /** What a step costs however small it is: a group's, and each head's. */
  readonly stepSeconds: number;
  readonly headStepSeconds: number;
  /** Reading, decoding and resizing an image for the first time; it lies in the slot's image cache afterwards. */
  readonly decodeSeconds: number;
  /** Augmenting one value of an image. */
  readonly augmentSecondsPerValue: number;
  /** Process, device and bookkeeping of a task, without weights and data. */
  readonly taskSeconds: number;
}

/**
 * CPU: per thread of a 2-thread x86-64 machine (VGG16 at 180 pixels: 32 images in 2.2 s with 2 threads; 16 heads of 512, 1280
 * and 12,800 inputs in 6.5, 12.8 and 91 ms per step of 32 images). Memory is shared by the threads. GPU: a third of what an
 * A100 does in VGG16's published training figures.
 */
export function deviceSpeed({ kind, threadCount }: Device): DeviceSpeed {
  if (kind === 'gpu') return GPU_SPEED;
  const threads = Math.max(1, threadCount);
  return {
    gflopPerSecond: 140 * threads,
    valuesPerSecond: 0.4e9 * threads,
    bytesPerSecond: 25e9,
    headGflopPerSecond: 150 * threads,
    stepSeconds: 1e-3,
    headStepSeconds: 1e-4,
    decodeSeconds: 4e-3,
    augmentSecondsPerValue: 6e-9 / threads,
    taskSeconds: 0.5,
  };
}

const GPU_SPEED: DeviceSpeed = {
  gflopPerSecond: 20_000,
  valuesPerSecond: 50e9,
  bytesPerSecond: 500e9,
  headGflopPerSecond: 5_000,
  stepSeconds: 1e-3,
  headStepSeconds: 1e-4,
  decodeSeconds: 4e-3,
  augmentSecondsPerValue: 1e-10,
  taskSeconds: 2,
};
