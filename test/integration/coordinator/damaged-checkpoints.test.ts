import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactDamagedError } from '../../../services/core/errors.ts';
import type { CheckpointRef, LeasedTask, Stage } from '../../../services/core/task.ts';
import { FILE_DAMAGES, damageFile } from '../../support/damage-file.ts';
import type { FileDamage } from '../../support/damage-file.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { metricsOf, outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('a', 2);
});
afterEach(() => harness[Symbol.asyncDispose]());

const ONE_RUN = specOf({ parameters: [] });
const FINE_TUNED = specOf({
  parameters: [],
  base: { ...ONE_RUN.base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2 },
});

async function sweepState(sweepId: string): Promise<{ state: string; reason: string }> {
  const [row] = await harness.query<{ state: string; reason: string }>(
    'SELECT state, state_reason AS reason FROM sweeps WHERE sweep_id = $1',
    [sweepId],
  );
  return row ?? { state: '', reason: '' };
}

interface RunNumbers {
  readonly run_id: string;
  readonly head_run_id: string | null;
  readonly best_value: number;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Each epoch of each run counts once with the values that training computes, the best is the best of them, and tests are there. */
async function expectUndisturbedNumbers(sweepId: string): Promise<void> {
  const runs = await harness.query<RunNumbers>(
    `SELECT run_id, head_run_id, best_value, parameters FROM runs WHERE sweep_id = $1 AND state = 'SUCCEEDED' ORDER BY run_index`,
    [sweepId],
  );
  expect(runs.length).toBeGreaterThan(0);
  for (const { run_id: runId, head_run_id: headRunId, best_value: best, parameters } of runs) {
    const expected = [
      ...epochsOfStage(headRunId ?? runId, 'HEAD', Number(parameters['epochs'])),
      ...epochsOfStage(
        runId,
        'FINE_TUNE',
        parameters['fine_tune.enabled'] === true ? Number(parameters['fine_tune.epochs']) : 0,
      ),
    ];
    const found = await harness.query(
      `SELECT run_id, stage, epoch, value FROM epoch_metrics
        WHERE (run_id = $1 OR run_id = $2 AND stage = 'HEAD') AND name = 'val_loss' AND superseded_by IS NULL
        ORDER BY stage DESC, epoch`,
      [runId, headRunId],
    );
    expect(found).toEqual(expected);
    expect(best).toBe(Math.min(...expected.map(({ value }) => value)));
  }
  const tests = await harness.query(
    `SELECT 1 FROM test_results t JOIN runs r USING (run_id) WHERE r.sweep_id = $1 AND t.role = 'WINNER'`,
    [sweepId],
  );
  expect(tests).toHaveLength(1);
}

function epochsOfStage(run_id: string, stage: Stage, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const value = metricsOf({ runId: run_id }, stage, index + 1)['val_loss'] ?? NaN;
    return { run_id, stage, epoch: index + 1, value };
  });
}

async function expectNothingCounted(sweepId: string): Promise<void> {
  const counted = await harness.query(
    'SELECT task_id FROM tasks WHERE sweep_id = $1 AND failure_count + infrastructure_count + memory_count > 0',
    [sweepId],
  );
  expect(counted).toEqual([]);
}

function damageStored(checkpoint: CheckpointRef, damage: FileDamage): void {
  damageFile(harness.artifacts.localPath(checkpoint.uri), damage);
}

/** Ends an attempt as a trainer does that has found these checkpoints damaged. */
async function reportDamaged(task: LeasedTask, checkpoints: readonly CheckpointRef[]): Promise<void> {
  const damagedCheckpointIds = checkpoints.map(({ checkpointId }) => checkpointId);
  const code = 'CHECKPOINT_DAMAGED';
  await trainer.fail(task, { errorClass: 'INFRASTRUCTURE', code, message: 'damaged', damagedCheckpointIds });
}

/** Works until a task of the stage is leased. */
async function workUntil(stage: LeasedTask['stage']): Promise<LeasedTask> {
  for (;;) {
    const task = await trainer.lease(0, 5_000);
    if (task === null) throw new Error(`no ${stage} task came`);
    if (task.stage === stage) return task;
    await trainer.work(task);
  }
}

function sourceOf(task: LeasedTask): CheckpointRef {
  const source = task.runs[0]?.sourceCheckpoint;
  if (!source) throw new Error(`task ${task.taskId} has no source checkpoint`);
  return source;
}

describe('a checkpoint that is lost or damaged', () => {
  /** Trains the head of a sweep's runs to an epoch, then loses the trainer's process. */
  async function interrupted(): Promise<{ id: string; last: CheckpointRef[] }> {
    const id = await harness.submit(specOf());
    const head = await workUntil('HEAD');
    const last: CheckpointRef[] = [];
    await trainer.report([trainer.batch(head, 1, 1), trainer.batch(head, 2, 2)]);
    for (const { runId } of head.runs) {
      await trainer.checkpoint(head, runId, 2, 'BEST');
      last.push(await trainer.checkpoint(head, runId, 2, 'LAST'));
    }
    await trainer.release(head, 1);
    return { id, last };
  }

  it.each(FILE_DAMAGES)(
    'is not resumed from: the stage begins again, and what came of it is superseded (%s)',
    async (damage) => {
      const { id, last } = await interrupted();
      for (const checkpoint of last) damageStored(checkpoint, damage);
      const resumed = await trainer.mustLease('HEAD');
      expect(resumed.runs.map(({ resumeCheckpoint }) => resumeCheckpoint?.checkpointId)).toEqual(
        last.map(({ checkpointId }) => checkpointId),
      );
      await reportDamaged(resumed, last);
      const again = await trainer.mustLease('HEAD');
      expect(again.runs.map(({ resumeCheckpoint }) => resumeCheckpoint)).toEqual([null, null]);
      await trainer.work(again);
      await trainer.workAll();
      expect(await sweepState(id)).toEqual({ state: 'SUCCEEDED', reason: '' });
      await expectUndisturbedNumbers(id);
      const counts = await harness.query('SELECT failure_count, infrastructure_count FROM tasks WHERE task_id = $1', [
        again.taskId,
      ]);
      expect(counts).toEqual([{ failure_count: 0, infrastructure_count: expect.any(Number) as number }]);
    },
  );

  it('falls back to its predecessor if that is kept', async () => {
    const id = await harness.submit(ONE_RUN);
    const head = await workUntil('HEAD');
    const runId = head.runs[0]?.runId ?? '';
    await trainer.report([trainer.batch(head, 1, 1), trainer.batch(head, 2, 2)]);
    await trainer.checkpoint(head, runId, 1, 'BEST');
    const older = await trainer.checkpoint(head, runId, 1, 'LAST');
    await harness.sweeps.pinCheckpoint({ checkpointId: older.checkpointId, pinned: true });
    const newer = await trainer.checkpoint(head, runId, 2, 'LAST');
    await trainer.release(head, 1);
    damageStored(newer, 'flip');
    const resumed = await trainer.mustLease('HEAD');
    await reportDamaged(resumed, [newer]);
    const again = await trainer.mustLease('HEAD');
    expect(again.runs[0]?.resumeCheckpoint?.checkpointId).toBe(older.checkpointId);
    const kept = await harness.query(
      `SELECT DISTINCT epoch FROM epoch_metrics WHERE run_id = $1 AND superseded_by IS NULL ORDER BY 1`,
      [runId],
    );
    expect(kept).toEqual([{ epoch: 1 }]);
    await trainer.work(again);
    await trainer.workAll();
    expect(await sweepState(id)).toEqual({ state: 'SUCCEEDED', reason: '' });
  });

  it('is treated as damaged only when the coordinator confirms the damage', async () => {
    const { last } = await interrupted();
    const resumed = await trainer.mustLease('HEAD');
    await reportDamaged(resumed, last);
    const again = await trainer.mustLease('HEAD');
    expect(again.runs.map(({ resumeCheckpoint }) => resumeCheckpoint?.checkpointId)).toEqual(
      last.map(({ checkpointId }) => checkpointId),
    );
    expect(await harness.query('SELECT 1 FROM checkpoints WHERE damage IS NOT NULL')).toEqual([]);
  });

  it.each(FILE_DAMAGES)(
    'is trained again where a fine-tuning starts from it, to the same numbers (%s)',
    async (damage) => {
      const id = await harness.submit(FINE_TUNED);
      const fineTune = await workUntil('FINE_TUNE');
      const source = sourceOf(fineTune);
      damageStored(source, damage);
      await reportDamaged(fineTune, [source]);
      const head = await trainer.mustLease('HEAD');
      expect(head.runs[0]).toMatchObject({ runId: source.runId, resumeCheckpoint: null, stopped: false });
      expect(await trainer.lease(1, 300)).toBeNull();
      await trainer.work(head);
      const again = await trainer.mustLease('FINE_TUNE');
      expect(again.taskId).toBe(fineTune.taskId);
      expect(sourceOf(again)).toMatchObject({ stage: 'HEAD', epoch: source.epoch });
      expect(sourceOf(again).checkpointId).not.toBe(source.checkpointId);
      await trainer.work(again);
      await trainer.workAll();
      expect(await sweepState(id)).toEqual({ state: 'SUCCEEDED', reason: '' });
      await expectUndisturbedNumbers(id);
      await expectNothingCounted(id);
    },
  );

  it.each(['HEAD', 'FINE_TUNE'] as const)(
    'is trained again where the winner is to be tested, whose best epoch is of %s',
    async (stage) => {
      const epochs = stage === 'HEAD' ? {} : { epochs: 1, 'fine_tune.epochs': 10 };
      const id = await harness.submit({ ...FINE_TUNED, base: { ...FINE_TUNED.base, ...epochs } });
      const evaluate = await workUntil('EVALUATE');
      const source = sourceOf(evaluate);
      expect(source.stage).toBe(stage);
      damageStored(source, 'flip');
      await reportDamaged(evaluate, [source]);
      expect((await sweepState(id)).state).toBe('ACTIVE');
      const again = await trainer.mustLease(stage);
      expect(again.runs.map(({ runId, stopped }) => ({ runId, stopped }))).toEqual([
        { runId: source.runId, stopped: false },
      ]);
      expect((await trainer.heartbeat([again])).map(({ stoppedRunIds }) => stoppedRunIds)).toEqual([[]]);
      await trainer.work(again);
      await trainer.work(await trainer.mustLease('EVALUATE'));
      expect(await sweepState(id)).toEqual({ state: 'SUCCEEDED', reason: '' });
      await expectUndisturbedNumbers(id);
      await expectNothingCounted(id);
    },
  );

  it('is retrained once when several fine-tunings share the head, and the run that owns it continues', async () => {
    const rates = {
      name: 'fine_tune.learning_rate',
      domain: { kind: 'values', values: [1e-5, 1e-4] },
      conditions: [],
    } as const;
    const spec = specOf({ ...FINE_TUNED, parameters: [rates] });
    const id = await harness.submit(spec);
    await workUntil('HEAD').then((head) => trainer.work(head));
    const tasks = [await trainer.mustLease('FINE_TUNE', 0), await trainer.mustLease('FINE_TUNE', 1)];
    const [owner, sharer] = tasks[0]?.runs[0]?.runId === sourceOf(tasks[0]!).runId ? tasks : tasks.toReversed();
    const source = sourceOf(sharer!);
    damageStored(source, 'flip');
    const slot = tasks.indexOf(sharer!);
    await reportDamaged(sharer!, [source]);
    const head = await trainer.mustLease('HEAD', slot);
    // The owner's fine-tuning has read the head before it was damaged, and ends while the head is trained again.
    await trainer.work(owner!);
    await trainer.work(head);
    expect(await trainer.workAll(300, slot)).toEqual(['FINE_TUNE', 'EVALUATE']);
    expect(await sweepState(id)).toEqual({ state: 'SUCCEEDED', reason: '' });
    await expectUndisturbedNumbers(id);
  });

  it('fails its run, and no other of the group, when the disk damages it repeatedly', async () => {
    const { id } = await interrupted();
    let task = await trainer.mustLease('HEAD');
    const [bad] = task.runs.map(({ runId }) => runId);
    for (let times = 0; times < 4; times += 1) {
      const last = task.runs.find(({ runId }) => runId === bad)?.resumeCheckpoint;
      if (!last) throw new Error('no resume checkpoint');
      damageStored(last, 'truncate');
      await reportDamaged(task, [last]);
      task = await trainer.mustLease('HEAD');
      if (times === 3) break;
      await trainer.checkpoint(task, bad ?? '', 1, 'LAST');
      await trainer.release(task, 1);
      task = await trainer.mustLease('HEAD');
    }
    await trainer.complete(task, {
      stage: 'TRAIN',
      outcomes: task.runs.map(({ runId, stopped }) => outcomeOf(runId, 3, stopped ? { kind: 'STOPPED' } : {})),
    });
    const runs = await harness.query<{ run_id: string; state: string; reason: string }>(
      'SELECT run_id, state, state_reason AS reason FROM runs WHERE sweep_id = $1 ORDER BY run_index',
      [id],
    );
    expect(runs.map(({ run_id, state }) => [run_id === bad, state])).toEqual([
      [true, 'FAILED'],
      [false, 'SUCCEEDED'],
    ]);
    expect(runs[0]?.reason).toMatch(/bytes instead of .*, as 3 before it were; check the disk/);
  });

  it('never lets a sweep succeed without reporting its missing test', async () => {
    const id = await harness.submit(ONE_RUN);
    let evaluate = await workUntil('EVALUATE');
    for (let times = 0; times < 4; times += 1) {
      damageStored(sourceOf(evaluate), 'delete');
      await reportDamaged(evaluate, [sourceOf(evaluate)]);
      if (times === 3) break;
      await trainer.work(await trainer.mustLease('HEAD'));
      evaluate = await trainer.mustLease('EVALUATE');
    }
    const { state, reason } = await sweepState(id);
    expect(state).toBe('SUCCEEDED');
    expect(reason).toMatch(
      /^the evaluation on the test split failed: checkpoint .* is not in the artifact store, as 3 before/,
    );
    const events = await harness.watch(id);
    expect(events.at(-1)?.event).toMatchObject({ $case: 'sweepState', value: { reason } });
  });

  it('is reported as damaged, by name, to a client that downloads it', async () => {
    const id = await harness.submit(ONE_RUN);
    await trainer.workAll();
    const download = async (checkpointId: string): Promise<number> => {
      let bytes = 0;
      for await (const { data } of harness.sweeps.downloadCheckpoint({ checkpointId, offset: 0n }))
        bytes += data.length;
      return bytes;
    };
    const { checkpoints } = await harness.sweeps.listCheckpoints({
      sweepId: id,
      runId: '',
      pageSize: 0,
      pageToken: '',
    });
    const best = checkpoints.at(-1);
    if (!best) throw new Error('no checkpoint');
    expect(await download(best.checkpointId)).toBe(Number(best.sizeBytes));
    for (const [damage, words] of [
      ['flip', /is damaged: its sha256 is .* instead of/],
      ['truncate', /has \d+ bytes instead of/],
      ['delete', /is not in the artifact store/],
    ] as const) {
      damageFile(harness.artifacts.localPath(best.uri), damage);
      const failure = await download(best.checkpointId).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ArtifactDamagedError);
      expect(String(failure)).toMatch(words);
      expect(String(failure)).toContain(`of checkpoint '${best.checkpointId}'`);
    }
  });
});
