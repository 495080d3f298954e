import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../services/core/errors.ts';
import type { LeasedTask, TestPrediction } from '../../../services/core/task.ts';
import { MAX_MESSAGE_BYTES } from '../../../services/platform/rpc/server.ts';
import { JoinedResult, splitResult } from '../../../services/platform/rpc/convert/result-parts.ts';
import { taskEndToProto } from '../../../services/platform/rpc/convert/task-result.ts';
import { GrpcCoordinator } from '../../../services/trainer/lease/grpc-coordinator.ts';
import { CompleteTaskRequest } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { simulatedDataset } from './simulated-dataset.ts';
import type { SimulatedDataset, SimulatedImage } from './simulated-dataset.ts';
import { CLASS_NAMES } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
let lastRequest = '';
beforeAll(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t1');
});
afterAll(() => harness[Symbol.asyncDispose]());

/** Returns predictions of which every third is wrong. */
function predict({ path, label }: SimulatedImage, index: number, classCount: number): TestPrediction {
  const predictedLabel = index % 3 === 0 ? (label + 1) % classCount : label;
  const rest = 0.5 / classCount;
  const probabilities = Array.from({ length: classCount }, (_, of) => rest + (of === predictedLabel ? 0.5 : 0));
  return { path, label, predictedLabel, probabilities };
}

function predictionsOf({ images, classNames }: SimulatedDataset): TestPrediction[] {
  return images.filter(({ split }) => split === 'test').map((image, index) => predict(image, index, classNames.length));
}

function lossOf(predictions: readonly TestPrediction[]): number {
  const losses = predictions.map(({ label, probabilities }) => -Math.log(probabilities[label] ?? 0));
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** The evaluation of a new sweep, as a trainer gets it. */
async function leaseEvaluation(seed: number): Promise<LeasedTask> {
  await harness.submit(specOf({ seed, testPolicy: 'every_run' }));
  for (;;) {
    lastRequest = trainer.newRequestId();
    const task = await trainer.lease(0, 10_000, lastRequest);
    if (task === null) throw new Error('nothing to evaluate');
    if (task.stage === 'EVALUATE') return task;
    await trainer.work(task);
  }
}

function endOf(task: LeasedTask, predictions: readonly TestPrediction[]) {
  const measurements = task.runs.map((run) => ({
    runId: run.runId,
    checkpointId: run.sourceCheckpoint?.checkpointId ?? '',
    role: run.role ?? ('EVERY_RUN' as const),
    loss: lossOf(predictions),
    predictions,
  }));
  return { kind: 'result', result: { stage: 'EVALUATE', measurements } } as const;
}

async function readAll(runId: string): Promise<{ pages: number; predictions: TestPrediction[] }> {
  const predictions: TestPrediction[] = [];
  let pages = 0;
  let pageToken = '';
  do {
    const page = await harness.sweeps.listTestPredictions({ runId, pageSize: 5_000, pageToken });
    for (const { path, label, predictedLabel, probabilities } of page.predictions) {
      predictions.push({ path, label, predictedLabel, probabilities });
    }
    pages += 1;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return { pages, predictions };
}

describe('a result above the size of a message', () => {
  it.each([
    ['many images', 1, simulatedDataset(CLASS_NAMES, () => 21_000)],
    [
      'many classes',
      2,
      simulatedDataset(
        Array.from({ length: 1_000 }, (_, label) => `class-${label}`),
        (label) => (label < 400 ? 1 : 0),
      ),
    ],
  ])(
    'goes from the trainer to the database and back: %s',
    async (_title, seed, dataset) => {
      trainer.dataset = dataset;
      const predictions = predictionsOf(dataset);
      const task = await leaseEvaluation(seed);
      const end = endOf(task, predictions);
      const whole = CompleteTaskRequest.encode({
        ...trainer.proof(task),
        result: taskEndToProto(end),
      }).finish();
      expect(whole.length).toBeGreaterThan(MAX_MESSAGE_BYTES);
      const coordinator = new GrpcCoordinator([harness.coordinator.address], trainer);
      try {
        const signal = new AbortController().signal;
        // The same request again: it learns the lease's secret.
        const wanted = { requestId: lastRequest, slotIndex: 0, heldFeatureKeys: [], waitMs: 0 };
        expect(await coordinator.leaseTask(wanted, signal)).toEqual(task);
        await coordinator.completeTask(task, end, signal);
        // The response may have been lost: a repeated request has no effect.
        await coordinator.completeTask(task, end, signal);
      } finally {
        coordinator.close();
      }
      for (const { runId } of task.runs) {
        const read = await readAll(runId);
        expect(read.predictions).toEqual(predictions.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
        expect(read.pages).toBeGreaterThan(1);
      }
      const rows = await harness.query<{ image_count: number; correct_count: number }>(
        'SELECT image_count, correct_count FROM test_results WHERE run_id = ANY($1)',
        [task.runs.map(({ runId }) => runId)],
      );
      const correct = predictions.filter(({ label, predictedLabel }) => label === predictedLabel).length;
      expect(rows).toEqual(task.runs.map(() => ({ image_count: predictions.length, correct_count: correct })));
    },
    120_000,
  );

  it('is refused where its parts are not of one task, and nothing is stored', async () => {
    trainer.dataset = simulatedDataset(CLASS_NAMES);
    const task = await leaseEvaluation(3);
    const result = taskEndToProto(endOf(task, predictionsOf(trainer.dataset)));
    const proof = trainer.proof(task);
    async function* parts() {
      yield await Promise.resolve({ part: { ...proof, result } });
      yield { part: { ...proof, taskId: 'another', result } };
    }
    const sent = (async () => {
      for await (const answer of harness.trainers.completeTaskInParts(parts())) expect(answer).toBeUndefined();
    })();
    await expect(sent).rejects.toThrow(InvalidRequestError);
    const [row] = await harness.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM test_results WHERE run_id = $1',
      [task.runs[0]?.runId],
    );
    expect(row?.count).toBe(0);
  });
});

describe('splitting', () => {
  it('and putting together gives the same, whatever the size of a part', () => {
    const measurements = [0, 1, 7].map((count, run) => ({
      runId: `r${run}`,
      checkpointId: `c${run}`,
      role: 'EVERY_RUN' as const,
      loss: run,
      predictions: Array.from({ length: count * 10 }, (_, index) =>
        predict({ path: `test/${String(index).padStart(6, '0')}.jpg`, split: 'test', label: index % 2 }, index, 2),
      ),
    }));
    const whole = taskEndToProto({ kind: 'result', result: { stage: 'EVALUATE', measurements } });
    for (const [bytes, expected] of [
      [1, 80],
      [1_000, 12],
      [1_000_000, 1],
    ] as const) {
      const parts = splitResult(whole, bytes);
      const joined = new JoinedResult();
      for (const part of parts) expect(joined.add(part)).toBe(true);
      expect(joined.result).toEqual(whole);
      expect(parts.length).toBeLessThanOrEqual(expected);
      expect(parts.length).toBeGreaterThan(expected / 4);
    }
  });
});
