import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeasedTask, MissingWeights, TaskResult } from '../../../services/core/task.ts';
import { runStates } from '../../../services/platform/rpc/convert/run.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

const BACKBONES = ['vgg16', 'mobilenet', 'resnet50'];

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

function submit(): Promise<string> {
  const values = BACKBONES;
  return harness.submit(
    specOf({ parameters: [{ name: 'backbone', domain: { kind: 'values', values }, conditions: [] }] }),
  );
}

/** The result of INDEX on a machine that lacks the weights of some bases. */
function without(
  trainer: SimulatedTrainer,
  task: LeasedTask,
  lacking: readonly string[],
  elsewhere: boolean,
  temporary = false,
): TaskResult {
  const result = trainer.resultOf(task);
  if (result.stage !== 'INDEX') throw new Error(`${task.stage} is not INDEX`);
  const missingWeights = result.weights
    .filter(({ backbone }) => lacking.includes(backbone))
    .map(({ backbone, weights }): MissingWeights => {
      return { backbone, weights, reason: `${backbone} is not on ${trainer.trainerId}`, elsewhere, temporary };
    });
  return { ...result, weights: result.weights.filter(({ backbone }) => !lacking.includes(backbone)), missingWeights };
}

async function workAll(trainer: SimulatedTrainer): Promise<LeasedTask[]> {
  const done: LeasedTask[] = [];
  for (let task = await trainer.lease(); task !== null; task = await trainer.lease()) {
    done.push(task);
    await trainer.work(task);
  }
  return done;
}

async function outcomes(sweepId: string): Promise<readonly (readonly [string, string])[]> {
  const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
  return runs.map(({ state, stateReason }) => [runStates.fromProto(state, 'state'), stateReason] as const);
}

describe('weights that INDEX reports as missing', () => {
  it('fail their runs with the reason; the others are trained, and no later task names those weights', async () => {
    const trainer = await harness.trainer('a');
    await trainer.storeManifest();
    const sweepId = await submit();
    const index = await trainer.mustLease('INDEX');
    await trainer.complete(index, without(trainer, index, ['vgg16'], true));
    const [event] = await harness.query<{ message: string }>(
      `SELECT payload ->> 'message' AS message FROM events WHERE payload ->> 'stage' = 'INDEX' AND payload ->> 'state' = 'SUCCEEDED'`,
    );
    expect(event?.message).toContain('weights are missing for vgg16 (random)');
    const tasks = await workAll(trainer);
    const named = tasks.flatMap(({ weightsReferences }) => weightsReferences.map(({ backbone }) => backbone));
    expect(new Set(named)).toEqual(new Set(['mobilenet', 'resnet50']));
    expect((await harness.sweeps.getSweep({ sweepId })).sweep?.state).toBe(SweepState.SUCCEEDED);
    expect(await outcomes(sweepId)).toEqual([
      ['FAILED', 'vgg16 is not on a'],
      ['SUCCEEDED', ''],
      ['SUCCEEDED', ''],
    ]);
  });

  it('are looked for on another machine first; when none has them, no machine is benched', async () => {
    const [a, b] = [await harness.trainer('a'), await harness.trainer('b', 2)];
    const sweepIds = [await submit(), await submit()];
    for (let count = 0; count < sweepIds.length; count += 1) {
      const task = await a.mustLease('INDEX');
      await a.complete(task, without(a, task, ['vgg16', 'resnet50'], true));
    }
    expect(await a.lease()).toBeNull();
    const tasks = [await b.mustLease('INDEX', 0), await b.mustLease('INDEX', 1)];
    for (const task of tasks) await b.complete(task, without(b, task, ['resnet50'], true));
    for (const sweepId of sweepIds) {
      const states = (await outcomes(sweepId)).map(([state]) => state);
      expect(states.filter((state) => state === 'FAILED')).toHaveLength(1);
    }
    const { trainers } = await harness.sweeps.listTrainers({ pageSize: 0, pageToken: '' });
    expect(trainers.flatMap(({ slots }) => slots.map(({ benchReason }) => benchReason))).toEqual(['', '', '']);
  });

  it('are taken from each machine that has some of them', async () => {
    const [a, b] = [await harness.trainer('a'), await harness.trainer('b')];
    const sweepId = await submit();
    const first = await a.mustLease('INDEX');
    await a.complete(first, without(a, first, ['resnet50'], true));
    expect(await a.lease()).toBeNull();
    const second = await b.mustLease('INDEX');
    await b.complete(second, without(b, second, ['mobilenet', 'resnet50'], true));
    expect((await outcomes(sweepId)).map(([state]) => state)).toEqual(['QUEUED', 'QUEUED', 'FAILED']);
    const [sweep] = await harness.query<{ weights: readonly { backbone: string; digest: string }[] }>(
      'SELECT weights FROM sweeps',
    );
    const result = a.resultOf(first);
    const known = result.stage === 'INDEX' ? result.weights : [];
    expect(new Map(sweep?.weights.map(({ backbone, digest }) => [backbone, digest]))).toEqual(
      new Map(known.flatMap(({ backbone, digest }) => (backbone === 'resnet50' ? [] : [[backbone, digest]]))),
    );
  });

  it('leave no run without its weights when two machines have all of them together', async () => {
    const [a, b] = [await harness.trainer('a'), await harness.trainer('b')];
    const sweepId = await submit();
    const first = await a.mustLease('INDEX');
    await a.complete(first, without(a, first, ['resnet50'], true));
    const second = await b.mustLease('INDEX');
    await b.complete(second, without(b, second, ['vgg16', 'mobilenet'], true));
    expect((await outcomes(sweepId)).map(([state]) => state)).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
  });

  it.each([
    ['has none', 'INFRASTRUCTURE', 'WEIGHTS_MISSING'],
    ['has none of the files', 'PERMANENT', 'WEIGHTS_MISSING'],
    ['lacks the images', 'PERMANENT', 'DATA_MISSING'],
    ['lacks the images for the moment', 'INFRASTRUCTURE', 'DATA_MISSING'],
    ['has a full disk', 'INFRASTRUCTURE', 'DISK_FULL'],
  ] as const)('are those of the first machine when the other %s (%s)', async (_, errorClass, code) => {
    const [a, b] = [await harness.trainer('a'), await harness.trainer('b')];
    await a.storeManifest();
    const sweepId = await submit();
    const first = await a.mustLease('INDEX');
    await a.complete(first, without(a, first, ['resnet50'], true));
    const second = await b.mustLease('INDEX');
    await b.fail(second, { errorClass, code, message: 'not here', datasetProblems: [] });
    await workAll(a);
    expect((await harness.sweeps.getSweep({ sweepId })).sweep?.state).toBe(SweepState.SUCCEEDED);
    expect(await outcomes(sweepId)).toEqual([
      ['SUCCEEDED', ''],
      ['SUCCEEDED', ''],
      ['FAILED', 'resnet50 is not on a'],
    ]);
    const ends = await harness.query<{ state: string }>(
      'SELECT state FROM attempts WHERE task_id = $1 ORDER BY lease_epoch',
      [first.taskId],
    );
    expect(ends.map(({ state }) => state)).toEqual(['FAILED', 'FAILED']);
  });

  it('are tried three more times when a download failed for the moment; then their runs fail', async () => {
    const trainer = await harness.trainer('a');
    const sweepId = await submit();
    for (let round = 0; round < 4; round += 1) {
      expect((await outcomes(sweepId)).map(([state]) => state)).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
      await harness.query('UPDATE tasks SET not_before_time = now()');
      const index = await trainer.mustLease('INDEX');
      await trainer.complete(index, without(trainer, index, ['vgg16'], true, true));
    }
    expect((await outcomes(sweepId)).map(([state]) => state)).toEqual(['FAILED', 'QUEUED', 'QUEUED']);
  });

  it('count no more once a later download succeeds', async () => {
    const trainer = await harness.trainer('a');
    const sweepId = await submit();
    const first = await trainer.mustLease('INDEX');
    await trainer.complete(first, without(trainer, first, ['vgg16'], true, true));
    const second = await trainer.mustLease('INDEX');
    await trainer.complete(second, without(trainer, second, ['mobilenet'], true, true));
    expect((await outcomes(sweepId)).map(([state]) => state)).toEqual(['QUEUED', 'QUEUED', 'QUEUED']);
    expect(await harness.query('SELECT 1 FROM tasks WHERE partial_index IS NOT NULL')).toEqual([]);
  });

  it('are not looked for elsewhere when the file itself is wrong', async () => {
    const [a] = [await harness.trainer('a'), await harness.trainer('b')];
    const sweepId = await submit();
    const index = await a.mustLease('INDEX');
    await a.complete(index, without(a, index, ['mobilenet'], false));
    expect((await outcomes(sweepId)).filter(([state]) => state === 'FAILED')).toEqual([
      ['FAILED', 'mobilenet is not on a'],
    ]);
  });

  it('end the sweep when no run is left', async () => {
    const trainer = await harness.trainer('a');
    const sweepId = await submit();
    const index = await trainer.mustLease('INDEX');
    await trainer.complete(index, without(trainer, index, BACKBONES, true));
    const sweep = (await harness.sweeps.getSweep({ sweepId })).sweep;
    expect(sweep?.state).toBe(SweepState.FAILED);
    for (const backbone of BACKBONES) expect(sweep?.stateReason).toContain(`${backbone} is not on a (1 run)`);
  });

  it('must be those that the task asks for, each once, with a reason', async () => {
    const trainer = await harness.trainer('a');
    await submit();
    const index = await trainer.mustLease('INDEX');
    const result = trainer.resultOf(index);
    if (result.stage !== 'INDEX') throw new Error('not INDEX');
    const [known] = result.weights;
    const missingWeights = [
      { backbone: known?.backbone ?? '', weights: 'random', reason: '', elsewhere: false, temporary: false },
    ];
    const refused = trainer.complete(index, { ...result, missingWeights });
    await expect(refused).rejects.toThrow(
      /index\.missing_weights\[0\]\.weights: must be weights that the task asks for/,
    );
    await expect(trainer.complete(index, { ...result, weights: [] })).rejects.toThrow(/3 are in neither/);
  });
});
