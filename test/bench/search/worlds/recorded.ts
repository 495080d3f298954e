import { existsSync, readFileSync } from 'node:fs';
import { createStream } from '../../../../services/core/rng/stream.ts';
import { autoEpochs } from '../../../../services/core/stopping/ladder.ts';
import { STOPPING_DEFAULTS } from '../../../../services/core/sweep/search-spec.ts';
import type { Evidence } from '../../../../services/core/statistics/evidence.ts';
import { rankCorrelation } from '../rank-correlation.ts';
import { GRID_VERSION, gridPath } from '../recorded-grid.ts';
import type { RecordedEpoch, RecordedGrid } from '../recorded-grid.ts';
import type { StageCurve, World, WorldRun } from '../world.ts';

/** η. */
const FACTOR = STOPPING_DEFAULTS.reductionFactor;

/** Reads a recorded grid by its name; a reason where this machine has none. */
export function readRecordedGrid(name: string): RecordedGrid | { readonly reason: string } {
  const path = gridPath(name);
  if (!existsSync(path)) {
    const command = `npm run bench:grid -- --record --grid ${name}`;
    return { reason: `The grid ${name} is not in ${path}; ${command} records it, in about 10 minutes.` };
  }
  const grid = JSON.parse(readFileSync(path, 'utf8')) as RecordedGrid;
  if (grid.version !== GRID_VERSION) return { reason: `${path} has version ${String(grid.version)}; record it again.` };
  return grid;
}

/** A replay of a recorded grid. */
export interface RecordedWorld extends World {
  /** Position of each run in the recorded grid. */
  readonly recordedRuns: readonly number[];
}

/**
 * Returns the grid as a search would have met it with other luck: runs in another order, and as many validation images drawn from
 * the recorded ones with replacement. `truths` are the values on the recorded images. Seed 0: as recorded.
 */
export function recordedWorld(grid: RecordedGrid, seed: number): RecordedWorld {
  const stream = createStream(seed, 'recorded world');
  const order = seed === 0 ? Uint32Array.from(grid.runs.keys()) : stream.permutation(grid.runs.length);
  const images = Uint32Array.from({ length: grid.validationImages }, (_, image) =>
    seed === 0 ? image : stream.int(grid.validationImages),
  );
  const place = new Map(Array.from(order, (run, index) => [run, index]));
  const runs = Array.from(order, (run, index): WorldRun => {
    const recorded = grid.runs[run];
    if (recorded === undefined) throw new RangeError(`There is no run ${run}.`);
    const { fineTune, epochSeconds, testAccuracy } = recorded;
    return {
      index,
      headEpochs: 1,
      augmented: false,
      fineTuneEpochs: fineTune?.length ?? null,
      head: curveOf([recorded.head], 0, images),
      fineTune: fineTune === null ? null : curveOf(fineTune, epochSeconds, images),
      testAccuracy,
    };
  });
  const shared = grid.shared.map((task) => ({ ...task, runs: task.runs.map((run) => place.get(run) ?? 0) }));
  return {
    name: `recorded grid, seed ${seed}`,
    objective: { metric: 'val_accuracy', goal: 'maximize' },
    runs,
    shared,
    taskSeconds: grid.taskSeconds,
    recordedRuns: [...order],
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

/** Returns a line for each backbone, and one on how well heads and the first rung rank the fine-tunes. */
export function describeGrid(grid: RecordedGrid): string[] {
  const { runs } = recordedWorld(grid, 0);
  const backbones = [...new Set(grid.runs.map(({ backbone }) => backbone))].map((backbone) => {
    const own = runs.filter(({ index }) => grid.runs[index]?.backbone === backbone);
    const head = Math.max(...own.map((run) => bestTruth(run.head)));
    const tuned = own.flatMap(({ fineTune }) => (fineTune === null ? [] : [bestTruth(fineTune)]));
    const fineTuned = tuned.length === 0 ? '' : `, fine-tuned ${(100 * Math.max(...tuned)).toFixed(1)} %`;
    return `${backbone}: ${own.length} runs, best head ${(100 * head).toFixed(1)} %${fineTuned}`;
  });
  const fineTunes = runs.filter(({ fineTune }) => fineTune !== null);
  const ends = fineTunes.map(({ fineTune }) => bestTruth(fineTune));
  const [first] = autoEpochs(grid.runs.find(({ fineTune }) => fineTune !== null)?.fineTune?.length ?? 0, FACTOR);
  const early = fineTunes.map(({ fineTune }) => fineTune?.truths[(first ?? 1) - 1] ?? Number.NaN);
  const ofHeads = rankCorrelation(
    fineTunes.map(({ head }) => bestTruth(head)),
    ends,
  );
  return [
    ...backbones,
    `Rank correlation with the best of a fine-tune: its head ${ofHeads.toFixed(2)}, epoch ${first ?? 1} ${rankCorrelation(early, ends).toFixed(2)}.`,
  ];
}

function bestTruth(curve: StageCurve | null): number {
  return Math.max(...Array.from(curve?.truths ?? []).filter((value) => !Number.isNaN(value)));
}
