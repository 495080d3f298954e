/** The device of the slots that a plan is made for. */
export interface Device {
  readonly kind: 'cpu' | 'gpu';
  /** Intra-op threads of a slot. */
  readonly threadCount: number;
}

/** Speed of a slot. Every figure is an initial estimate that measurements of the cluster correct (`corrections.ts`). */
export interface DeviceSpeed {
  /** Convolutions, GFLOP per second. */
  readonly gflopPerSecond: number;
  /** Output values per second of layers that are bound by memory (depthwise, activation, addition). */
  readonly valuesPerSecond: number;
  /** Bytes per second of data streamed through memory once per step: weights, gradients, optimizer state. */
  readonly bytesPerSecond: number;
  /** Matrix products of heads, GFLOP per second. */
  readonly headGflopPerSecond: number;
  /** Fixed seconds of a step: of a group, and of each head. */
  readonly stepSeconds: number;
  readonly headStepSeconds: number;
  /** Seconds to read, decode and resize an image for the first time; afterwards it is in the slot's image cache. */
  readonly decodeSeconds: number;
  /** Seconds to augment one value of an image. */
  readonly augmentSecondsPerValue: number;
  /** Seconds for process, device and bookkeeping of a task, without weights and data. */
  readonly taskSeconds: number;
}

/**
 * Returns the speed of a device. CPU: per thread of a 2-thread x86-64 machine (VGG16 at 180 pixels: 32 images in 2.2 s
 * with 2 threads; 16 heads of 512, 1280 and 12,800 inputs in 6.5, 12.8 and 91 ms per step of 32 images). The threads
 * share the memory. GPU: a third of an A100 by VGG16's published training figures.
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
