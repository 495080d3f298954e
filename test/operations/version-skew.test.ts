import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VersionSkewError } from '../../services/core/errors.ts';
import { areCompatible } from '../../services/core/version-skew.ts';
import { readVersion } from '../../services/platform/config/read-version.ts';
import { createClient } from '../../services/platform/rpc/client.ts';
import { createServer } from '../../services/platform/rpc/server.ts';
import { UnreadableTaskError } from '../../services/trainer/lease/coordinator-port.ts';
import { GrpcCoordinator } from '../../services/trainer/lease/grpc-coordinator.ts';
import { classifyFailure } from '../../services/trainer/lease/patience.ts';
import { TrainerServiceService } from '../../proto/gen/graft/v1/trainer_service.ts';
import type { RegisterTrainerRequest, ReportMetricsRequest } from '../../proto/gen/graft/v1/trainer_service.ts';
import { RunState } from '../../proto/gen/graft/v1/run.ts';
import { Task } from '../../proto/gen/graft/v1/task.ts';
import { specOf, startHarness } from '../integration/coordinator/harness.ts';
import type { Harness } from '../integration/coordinator/harness.ts';
import { SimulatedTrainer } from '../integration/coordinator/simulated-trainer.ts';
import { baselineService, futureService } from './support/other-version.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
});

afterAll(() => harness[Symbol.asyncDispose]());

const SELF = { trainerId: 'trainer', trainerSecret: 'a'.repeat(43) };

function unexpected(): never {
  throw new Error('not called');
}

function trainerOf(version: string): RegisterTrainerRequest {
  const slot = {
    deviceKind: 'cpu',
    deviceName: 'cpu',
    memoryBytes: 0n,
    threadCount: 1,
    benchReason: '',
    taskId: '',
    stage: 0 as const,
  };
  const trainer = { trainerId: `trainer-${version}`, hostname: 'host', version, engineVersion: '', state: '' };
  const reported = { heartbeatTime: undefined, refusalCount: 0, drainReason: '' };
  return {
    store: undefined,
    recipeVersion: 0,
    stages: [],
    trainer: { ...trainer, ...reported, slots: [{ ...slot, slotIndex: 0 }] },
    trainerSecret: 'a'.repeat(43),
  };
}

describe('versions', () => {
  it.each([
    ['1.4.2', '1.4.0', true],
    ['1.3.9', '1.4.0', true],
    ['1.5.0-rc.1', '1.4.0', true],
    ['1.6.0', '1.4.0', false],
    ['1.2.0', '1.4.0', false],
    ['2.4.0', '1.4.0', false],
    ['', '1.4.0', false],
    ['latest', 'latest', false],
  ])('%s with %s: compatible %s', (one, other, expected) => {
    expect(areCompatible(one, other)).toBe(expected);
    expect(areCompatible(other, one)).toBe(expected);
  });

  it('of the same minor version have secrets; an older trainer may have none and hold its leases without', async () => {
    const own = readVersion();
    const [major = 0, minor = 0] = own.split('.').map(Number);
    const without = (version: string) => harness.trainers.registerTrainer({ ...trainerOf(version), trainerSecret: '' });
    await expect(without(own)).rejects.toThrow(/trainer_secret: must be 22 to 128 letters.*received none/);
    await expect(without(`${major}.${minor + 1}.0`)).rejects.toThrow(/trainer_secret/);
    await expect(without(`${major}.${minor - 1}.0`)).resolves.toBeDefined();
    await harness.query('DELETE FROM slots');
    await harness.query('DELETE FROM trainers');
  });

  it('of trainers are checked when they register', async () => {
    const own = readVersion();
    const [major = 0, minor = 0] = own.split('.').map(Number);
    await expect(harness.trainers.registerTrainer(trainerOf(`${major}.${minor + 1}.0`))).resolves.toBeDefined();
    const far = `${major}.${minor + 2}.0`;
    const refused = harness.trainers.registerTrainer(trainerOf(far));
    await expect(refused).rejects.toThrow(VersionSkewError);
    await expect(refused).rejects.toMatchObject({ trainerVersion: far, coordinatorVersion: own });
    await expect(harness.trainers.registerTrainer(trainerOf('nightly'))).rejects.toThrow(/version 'nightly'/);
    expect(await harness.query('SELECT version FROM trainers')).toEqual([{ version: `${major}.${minor + 1}.0` }]);
    // It waits for the coordinator to be upgraded, as it waits for one that is unavailable.
    expect(classifyFailure(new VersionSkewError(far, own))).toBe('RETRY');
  });
});

describe.each([
  ['of the committed baseline, which may not support secrets,', baselineService, '0.0.9'],
  ['of a later version, with fields unknown to this version,', futureService, '0.1.0'],
])('a trainer %s', (_which, service, version) => {
  it('completes a whole sweep', async () => {
    using client = createClient(service(), { addresses: [harness.coordinator.address] });
    const trainer = new SimulatedTrainer(client.call, harness.artifacts, 'other', version);
    await trainer.register(1);
    const sweepId = await harness.submit(specOf({ dataset: { ...specOf().dataset, path: `/data/${_which}` } }));
    expect(await trainer.workAll()).toEqual(expect.arrayContaining(['INDEX', 'HEAD', 'EVALUATE']));
    expect(await harness.query('SELECT state, state_reason FROM sweeps WHERE sweep_id = $1', [sweepId])).toEqual([
      { state: 'SUCCEEDED', state_reason: '' },
    ]);
  });
});

describe('a trainer of the committed baseline', () => {
  it('trains on where it should pause, because it does not know pauses', async () => {
    using client = createClient(baselineService(), { addresses: [harness.coordinator.address] });
    const trainer = new SimulatedTrainer(client.call, harness.artifacts, 'no-pauses', '0.0.9');
    await trainer.register(1);
    const sweepId = await harness.submit(specOf({ dataset: { ...specOf().dataset, path: '/data/no-pauses' } }));
    let task = await trainer.lease(0, 5_000);
    for (; task !== null && task.stage !== 'HEAD'; task = await trainer.lease(0, 5_000)) await trainer.work(task);
    if (task === null) throw new Error('there is no HEAD');
    await trainer.release(task, 2);
    await harness.query('UPDATE tasks SET pause_epoch = 1 WHERE task_id = $1', [task.taskId]);
    const head = await trainer.mustLease('HEAD');
    expect(head.runs.map(({ pauseEpoch }) => pauseEpoch)).toEqual(head.runs.map(() => null));
    await trainer.work(head);
    await trainer.workAll();
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(runs.map(({ state }) => state)).toEqual(runs.map(() => RunState.SUCCEEDED));
  });
});

describe('a trainer of this version', () => {
  it('has its metrics stored by a coordinator that knows no results by image, and gets no pauses from it', async () => {
    const lease = { taskId: 't1', leaseEpoch: 1 };
    const received: ReportMetricsRequest[] = [];
    const server = createServer({ log: pino({ level: 'silent' }) });
    const handlers = Object.fromEntries(Object.keys(TrainerServiceService).map((name) => [name, unexpected]));
    const run = { runId: 'r1', parameters: [], role: '', stopped: false, milestoneEpochs: [3], pauseEpoch: 3 };
    server.addService(baselineService(), {
      ...handlers,
      leaseTask: () =>
        Promise.resolve({
          task: Task.fromPartial({ ...lease, stage: 3, objectiveMetric: 'val_loss', datasetSource: {}, runs: [run] }),
        }),
      reportMetrics: async function* (batches: AsyncIterable<ReportMetricsRequest>) {
        for await (const batch of batches) {
          received.push(batch);
          yield { ...lease, sequence: batch.sequence, errorReason: '', expectedSequence: 0n, stoppedRunIds: [] };
        }
      },
    } as never);
    const port = await server.listen('127.0.0.1:0');
    const coordinator = new GrpcCoordinator([`127.0.0.1:${port}`], SELF);
    const { signal } = new AbortController();
    try {
      const wanted = { requestId: 'q', slotIndex: 0, heldFeatureKeys: [], waitMs: 0 };
      const task = await coordinator.leaseTask(wanted, signal);
      expect(task?.runs).toMatchObject([{ runId: 'r1', milestoneEpochs: [], pauseEpoch: null }]);
      const results = { correct: Uint8Array.of(1), losses: new Float32Array(8) };
      const rung = { runId: 'r1', stage: 'HEAD', epoch: 1, isEnd: true, epochCount: 1, ...results } as const;
      const epoch = { runId: 'r1', stage: 'HEAD', epoch: 1, values: { val_loss: 0.5 } } as const;
      const batches = (async function* () {
        yield await Promise.resolve({ ...lease, sequence: 1, epochs: [epoch], rungs: [rung] });
        yield await Promise.resolve({ ...lease, sequence: 2, epochs: [], rungs: [rung] });
      })();
      const answers = [];
      for await (const answer of coordinator.reportMetrics(batches, signal)) answers.push(answer.refusal);
      expect(answers).toEqual([null, null]);
      expect(received.map(({ epochs, rungs }) => [epochs.length, rungs.length])).toEqual([
        [1, 0],
        [0, 0],
      ]);
    } finally {
      coordinator.close();
      await server.drain(0);
    }
  });

  it('continues when a later coordinator sends unknown values', async () => {
    const lease = { taskId: 't1', leaseEpoch: 1 };
    const server = createServer({ log: pino({ level: 'silent' }) });
    const handlers = Object.fromEntries(Object.keys(TrainerServiceService).map((name) => [name, unexpected]));
    server.addService(TrainerServiceService, {
      ...handlers,
      heartbeat: () => Promise.resolve({ directives: [{ ...lease, command: 99, stoppedRunIds: ['r1'] }] }),
      leaseTask: () => Promise.resolve({ task: Task.fromPartial({ ...lease, stage: 99 as never }) }),
      reportMetrics: async function* (batches: AsyncIterable<{ readonly sequence: bigint }>) {
        for await (const { sequence } of batches)
          yield { ...lease, sequence, errorReason: 'NEWS', expectedSequence: 0n, stoppedRunIds: [] };
      },
    } as never);
    const port = await server.listen('127.0.0.1:0');
    const coordinator = new GrpcCoordinator([`127.0.0.1:${port}`], SELF);
    const { signal } = new AbortController();
    try {
      // A command is advice: without it the task continues.
      expect(await coordinator.heartbeat([], false, 5_000)).toEqual([
        { ...lease, command: null, stoppedRunIds: ['r1'] },
      ]);
      // A kind of task can't be guessed: the slot returns it, for a newer trainer.
      const wanted = { requestId: 'q', slotIndex: 0, heldFeatureKeys: [], waitMs: 0 };
      await expect(coordinator.leaseTask(wanted, signal)).rejects.toThrow(UnreadableTaskError);
      // An unknown answer to metrics must not count as "durable".
      const batches = (async function* () {
        yield await Promise.resolve({ ...lease, sequence: 1, epochs: [], rungs: [] });
      })();
      const answers = [];
      for await (const answer of coordinator.reportMetrics(batches, signal)) answers.push(answer);
      expect(answers).toMatchObject([{ refusal: 'METRIC_CONFLICT' }]);
    } finally {
      coordinator.close();
      await server.drain(0);
    }
  });
});
