import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Objective } from '../../../services/core/objective.ts';
import { createStream } from '../../../services/core/rng/stream.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

/** Validation images. */
const IMAGES = 200;

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const ACCURACY: Objective = { metric: 'val_accuracy', goal: 'maximize' };

/** A run as it is measured: its costs, and its result for each validation image. */
interface Measured {
  readonly bytes: number;
  readonly flops: number;
  /** Losses of the images; for accuracy 0 is right and 1 is wrong. */
  readonly losses: Float32Array;
}

/** Stores a sweep with as many ended runs as there are results, without a trainer. */
async function sweepWith(results: readonly Measured[], objective = specOf().objective): Promise<string> {
  const rates: SweepSpec['parameters'][number] = {
    name: 'optimizer.learning_rate',
    domain: { kind: 'values', values: results.map((_, index) => (index + 1) / 1_000) },
    conditions: [],
  };
  const sweepId = await harness.submit(specOf({ parameters: [rates], objective }));
  const datasetId = `d-${sweepId}`;
  await harness.query(
    `INSERT INTO datasets (dataset_id, digest, path, class_names, class_counts, problems, manifest_uri)
     VALUES ($1, $1, '/data', '{cat}', $2, '[]', $1)`,
    [datasetId, JSON.stringify([{ split: 'validation', className: 'cat', imageCount: IMAGES }])],
  );
  await harness.query('UPDATE sweeps SET dataset_id = $2 WHERE sweep_id = $1', [sweepId, datasetId]);
  await harness.query(`INSERT INTO searches (sweep_id, policy) VALUES ($1, '{}')`, [sweepId]);
  await harness.query(`INSERT INTO rungs (sweep_id, rung, stage) VALUES ($1, 0, 'HEAD')`, [sweepId]);
  for (const [index, { bytes, flops, losses }] of results.entries()) {
    const isAccuracy = objective.metric === 'val_accuracy';
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / IMAGES;
    const value = isAccuracy ? 1 - mean : mean;
    const correct = Buffer.alloc(IMAGES / 8);
    losses.forEach((loss, image) => {
      if (loss < 0.5) correct[image >> 3] = (correct[image >> 3] ?? 0) | (1 << (image & 7));
    });
    const runId = `${sweepId}-r${String(index).padStart(3, '0')}`;
    await harness.query(
      `UPDATE runs SET state = 'SUCCEEDED', model_bytes = $2, parameter_count = $2, flops = $3,
                       best_value = $4, best_stage = 'HEAD', best_epoch = 3, best_val_loss = $4, best_val_accuracy = $4
        WHERE run_id = $1`,
      [runId, bytes, flops, value],
    );
    await harness.query(
      `INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, epoch, task_id, lease_epoch, correct, losses)
       VALUES ($1, 0, $2, $3, $4, 3, 't', 1, $5, $6)`,
      [sweepId, runId, index + 1, value, correct, isAccuracy ? null : Buffer.from(losses.buffer)],
    );
  }
  return sweepId;
}

/** Losses of some mean, the same noise for every run and a little of its own: the difference of two means is much surer than each. */
function lossesOf(mean: number, ownNoise: number, own: number): Float32Array {
  const [shared, noise] = [createStream(1, 'shared'), createStream(own, 'own')];
  const draws = Float64Array.from({ length: IMAGES }, () => shared.normal() * 0.3 + noise.normal() * ownNoise);
  const drawn = draws.reduce((sum, value) => sum + value, 0) / IMAGES;
  return Float32Array.from(draws, (value) => mean + value - drawn);
}

/** Standard error of the difference, as a statistician computes it. */
function pairedError(first: Float32Array, second: Float32Array): number {
  const differences = Float64Array.from(first, (loss, image) => loss - (second[image] ?? 0));
  const mean = differences.reduce((sum, value) => sum + value, 0) / IMAGES;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (IMAGES - 1);
  return Math.sqrt(variance / IMAGES);
}

async function frontOf(sweepId: string): Promise<{ run: number; tied: number[] }[]> {
  const { entries } = await harness.sweeps.getParetoFront({ sweepId });
  const rows = await harness.query<{ run_index: number; tied_run_indexes: number[] }>(
    'SELECT run_index, tied_run_indexes FROM pareto_front WHERE sweep_id = $1 ORDER BY place',
    [sweepId],
  );
  const front = entries.map(({ run, tiedRunIndexes }) => ({ run: run?.runIndex ?? -1, tied: tiedRunIndexes }));
  expect(rows.map((row) => ({ run: row.run_index, tied: row.tied_run_indexes }))).toEqual(front);
  return front;
}

describe('the Pareto front', () => {
  it('has the runs that no smaller one equals, by bytes and operations, the smallest first', async () => {
    const at = (bytes: number, flops: number, mean: number, own: number): Measured => ({
      bytes,
      flops,
      losses: lossesOf(mean, 0.01, own),
    });
    const sweepId = await sweepWith([
      at(40, 400, 0.1, 1),
      at(10, 100, 0.4, 2),
      // Larger and worse than run 1.
      at(20, 100, 0.5, 3),
      // As large as run 0, fewer operations, a little worse.
      at(40, 200, 0.2, 4),
      // The same cost as run 1, and worse.
      at(10, 100, 0.45, 5),
      at(5, 900, 0.3, 6),
    ]);
    expect((await frontOf(sweepId)).map(({ run }) => run)).toEqual([5, 1, 3, 0]);
  });

  it('leaves out what is better than a smaller run by at most one standard error of the paired difference', async () => {
    const small = lossesOf(0.3, 0.05, 1);
    const noise = lossesOf(0, 0.05, 2);
    const error = pairedError(small, noise);
    const better = (by: number): Float32Array => {
      const mean = noise.reduce((sum, value) => sum + value, 0) / IMAGES;
      return noise.map((value) => value - mean + 0.3 - by * error);
    };
    const unpaired = Math.sqrt(2) * 0.3 * Math.sqrt(1 / IMAGES);
    // Pairing matters: by the errors of the single means neither would be distinguishable.
    expect(error).toBeLessThan(unpaired / 3);
    const within = await sweepWith([
      { bytes: 10, flops: 10, losses: small },
      { bytes: 20, flops: 20, losses: better(0.95) },
    ]);
    expect(await frontOf(within)).toEqual([{ run: 0, tied: [1] }]);
    const beyond = await sweepWith([
      { bytes: 10, flops: 10, losses: small },
      { bytes: 20, flops: 20, losses: better(1.05) },
    ]);
    expect(await frontOf(beyond)).toEqual([
      { run: 0, tied: [] },
      { run: 1, tied: [] },
    ]);
  });

  it('compares accuracies by the images that only one of two runs has right', async () => {
    const wrong = (images: readonly number[]): Float32Array =>
      Float32Array.from({ length: IMAGES }, (_, image) => (images.includes(image) ? 1 : 0));
    const first = Array.from({ length: 40 }, (_, image) => image);
    const sweepId = await sweepWith(
      [
        { bytes: 10, flops: 10, losses: wrong(first) },
        // Two more right and none wrong: √2 images is one standard error.
        { bytes: 20, flops: 20, losses: wrong(first.slice(2)) },
        // Nine wrong ones of run 0 are right, ten others are wrong that were right: within the band of the first, and larger.
        { bytes: 30, flops: 30, losses: wrong([...first.slice(12), ...Array.from({ length: 9 }, (_, k) => 100 + k)]) },
      ],
      ACCURACY,
    );
    expect(await frontOf(sweepId)).toEqual([
      { run: 0, tied: [2] },
      { run: 1, tied: [2] },
    ]);
  });

  it('keeps a run that only runs within the band of each other lead to', async () => {
    // Each is one step better than the one before; two steps are distinguishable.
    const noise = [1, 2, 3].map((own) => lossesOf(0, 0.05, own));
    const step = 0.8 * pairedError(noise[0]!, noise[1]!);
    const results = noise.map((losses, index) => {
      const mean = losses.reduce((sum, value) => sum + value, 0) / IMAGES;
      return {
        bytes: 10 + index,
        flops: 10,
        losses: losses.map((value) => value - mean + 0.5 - index * step),
      };
    });
    const sweepId = await sweepWith(results);
    expect(await frontOf(sweepId)).toEqual([
      { run: 0, tied: [1] },
      { run: 2, tied: [] },
    ]);
  });

  it('compares by values alone where results by image are unknown, and leaves out runs without costs or values', async () => {
    const sweepId = await sweepWith(
      [0.3, 0.299, 0.1, 0.05].map((mean, index) => ({
        bytes: 10 + index,
        flops: 10,
        losses: lossesOf(mean, 0.05, index),
      })),
    );
    await harness.query('UPDATE rung_entries SET correct = NULL, losses = NULL WHERE sweep_id = $1', [sweepId]);
    await harness.query('UPDATE runs SET model_bytes = NULL WHERE run_id = $1', [`${sweepId}-r002`]);
    await harness.query(`UPDATE runs SET best_value = 'NaN' WHERE run_id = $1`, [`${sweepId}-r003`]);
    expect(await frontOf(sweepId)).toEqual([
      { run: 0, tied: [] },
      { run: 1, tied: [] },
    ]);
    await expect(harness.sweeps.getParetoFront({ sweepId: 's00000000z' })).rejects.toMatchObject({
      reason: 'NOT_FOUND',
    });
  });

  it('decodes losses exactly', async () => {
    const losses = Float32Array.of(0, -0, 1, -1.5, 1e-40, 3.4e38, 0.1, 123456.79, Number.NaN);
    const [row] = await harness.query<{ values: number[] }>('SELECT float32_values($1) AS values', [
      Buffer.from(losses.buffer),
    ]);
    expect(row?.values).toEqual([...losses].map((value) => (Object.is(value, -0) ? 0 : value)));
  });
});
