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
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeAll(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('t1');
});
afterAll(() => harness[Symbol.asyncDispose]());

function prediction(index: number, probabilities: readonly number[]): TestPrediction {
  const label = index % 2;
  return {
    path: `test/${String(index).padStart(6, '0')}.jpg`,
    label,
    predictedLabel: index % 3 === 0 ? 1 - label : label,
    probabilities,
  };
}

/** The evaluation of a new sweep, as a trainer gets it. */
async function leaseEvaluation(seed: number): Promise<LeasedTask> {
  await harness.submit(specOf({ seed, testPolicy: 'every_run' }));
  for (;;) {
    const task = await trainer.lease(0, 10_000);
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
    loss: 0.25,
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
    ['many images', 1, Array.from({ length: 42_000 }, (_, index) => prediction(index, [0.25, 0.75]))],
    [
      'many classes',
      2,
      Array.from({ length: 400 }, (_, index) =>
        prediction(
          index,
          Array.from({ length: 1_000 }, (_value, of) => (index + of) / 2_000),
        ),
      ),
    ],
  ])(
    'goes from the trainer to the database and back: %s',
    async (_title, seed, predictions) => {
      const task = await leaseEvaluation(seed);
      const end = endOf(task, predictions);
      const whole = CompleteTaskRequest.encode({
        taskId: task.taskId,
        leaseEpoch: 1,
        result: taskEndToProto(end),
      }).finish();
      expect(whole.length).toBeGreaterThan(MAX_MESSAGE_BYTES);
      const coordinator = new GrpcCoordinator([harness.coordinator.address], 't1');
      try {
        const signal = new AbortController().signal;
        await coordinator.completeTask(task, end, signal);
        // The answer may have been lost: the same once more has no effect.
        await coordinator.completeTask(task, end, signal);
      } finally {
        coordinator.close();
      }
      for (const { runId } of task.runs) {
        const read = await readAll(runId);
        expect(read.predictions).toEqual(predictions);
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
    const task = await leaseEvaluation(3);
    const result = taskEndToProto(endOf(task, [prediction(0, [0.5, 0.5])]));
    const { taskId, leaseEpoch } = task;
    async function* parts() {
      yield await Promise.resolve({ part: { taskId, leaseEpoch, result } });
      yield { part: { taskId: 'another', leaseEpoch, result } };
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
      predictions: Array.from({ length: count * 10 }, (_, index) => prediction(index, [0.5, 0.5])),
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
