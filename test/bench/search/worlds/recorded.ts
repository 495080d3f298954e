import { existsSync, readFileSync } from 'node:fs';
import { createStream } from '../../../../services/core/rng/stream.ts';
import type { Evidence } from '../../../../services/core/statistics/evidence.ts';
import { GRID_VERSION, gridPath } from '../recorded-grid.ts';
import type { RecordedEpoch, RecordedGrid, RecordedRun } from '../recorded-grid.ts';
import type { StageCurve, World, WorldRun } from '../world.ts';

/** Reads the recorded grid; a reason where this machine has none. */
export function readRecordedGrid(path = gridPath()): RecordedGrid | { readonly reason: string } {
  if (!existsSync(path)) {
    return {
      reason: `There is no recorded grid at ${path}; npm run bench:search -- --record makes one, in about half an hour.`,
    };
  }
  const grid = JSON.parse(readFileSync(path, 'utf8')) as RecordedGrid;
  if (grid.version !== GRID_VERSION) return { reason: `${path} has version ${String(grid.version)}; record it again.` };
  return grid;
}

/**
 * Returns the grid as a search would have met it with other luck: runs in another order, and as many validation images drawn from
 * the recorded ones with replacement. `truths` are the values on the recorded images. Seed 0: as recorded.
 */
export function recordedWorld(grid: RecordedGrid, seed: number): World {
  const stream = createStream(seed, 'recorded world');
  const order = seed === 0 ? Uint32Array.from(grid.runs.keys()) : stream.permutation(grid.runs.length);
  const images = Uint32Array.from({ length: grid.validationImages }, (_, image) =>
    seed === 0 ? image : stream.int(grid.validationImages),
  );
  const place = new Map(Array.from(order, (run, index) => [run, index]));
  const runs = Array.from(order, (run, index): WorldRun => {
    const recorded = grid.runs[run];
    if (recorded === undefined) throw new RangeError(`There is no run ${run}.`);
    const { fineTune, epochSeconds } = recorded;
    return {
      index,
      headEpochs: 1,
      augmented: false,
      fineTuneEpochs: fineTune?.length ?? null,
      head: curveOf([recorded.head], 0, images),
      fineTune: fineTune === null ? null : curveOf(fineTune, epochSeconds, images),
    };
  });
  const shared = grid.shared.map((task) => ({ ...task, runs: task.runs.map((run) => place.get(run) ?? 0) }));
  return {
    name: `recorded grid, seed ${seed}`,
    objective: { metric: 'val_accuracy', goal: 'maximize' },
    runs,
    shared,
    taskSeconds: grid.taskSeconds,
  };
}

/** Epochs without evidence have the value of none: NaN is never the best. */
function curveOf(epochs: readonly RecordedEpoch[], epochSeconds: number, images: Uint32Array): StageCurve {
  const all = epochs.map((epoch) => decode(epoch, images.length));
  const drawn = all.map((evidence) => (evidence === null ? null : draw(evidence, images)));
  return {
    values: drawn.map(accuracyOf),
    truths: all.map(accuracyOf),
    losses: drawn.map(lossOf),
    seconds: all.map((_, at) => (at + 1) * epochSeconds),
    evidenceAt: (epoch) => drawn[epoch - 1] ?? { correct: new Uint8Array(), count: 0, losses: null },
  };
}

function decode({ correct, losses }: RecordedEpoch, count: number): Evidence | null {
  if (correct === null) return null;
  return { correct: Buffer.from(correct, 'base64'), count, losses: losses === null ? null : floatsOf(losses) };
}

function floatsOf(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

function draw({ correct, losses }: Evidence, images: Uint32Array): Evidence {
  const bits = new Uint8Array(Math.ceil(images.length / 8));
  for (const [at, image] of images.entries()) {
    if (isRight(correct, image)) bits[at >> 3] = (bits[at >> 3] ?? 0) | (1 << (at & 7));
  }
  const drawn = losses === null ? null : Float32Array.from(images, (image) => losses[image] ?? Number.NaN);
  return { correct: bits, count: images.length, losses: drawn };
}

function accuracyOf(evidence: Evidence | null): number {
  if (evidence === null) return Number.NaN;
  let right = 0;
  for (let image = 0; image < evidence.count; image++) if (isRight(evidence.correct, image)) right += 1;
  return right / evidence.count;
}

function lossOf(evidence: Evidence | null): number {
  const losses = evidence?.losses ?? null;
  return losses === null ? Number.NaN : losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

function isRight(correct: Uint8Array, image: number): boolean {
  return (((correct[image >> 3] ?? 0) >> (image & 7)) & 1) === 1;
}

/** Returns a line for each backbone: number of heads and best accuracies. */
export function describeGrid({ runs }: RecordedGrid, images: number): string[] {
  const identity = Uint32Array.from({ length: images }, (_, image) => image);
  const best = (all: readonly RecordedEpoch[]): number =>
    Math.max(...all.map((epoch) => accuracyOf(decode(epoch, identity.length))).filter((value) => !Number.isNaN(value)));
  return [...new Set(runs.map(({ backbone }) => backbone))].map((backbone) => {
    const own: readonly RecordedRun[] = runs.filter((run) => run.backbone === backbone);
    const head = best(own.map((run) => run.head));
    const tuned = own.flatMap(({ fineTune }) => fineTune ?? []);
    const fineTuned = tuned.length === 0 ? '' : `, fine-tuned ${(100 * best(tuned)).toFixed(1)} %`;
    return `${backbone}: ${own.length} runs, best head ${(100 * head).toFixed(1)} %${fineTuned}`;
  });
}
