import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import type { CheckpointRef, LeasedTask } from '../../../services/core/task.ts';
import { damageFile } from '../../support/damage-file.ts';
import { startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import {
  expectConclusion,
  expectSoundTables,
  groupSpec,
  leaseNext,
  runsOf,
  skipDelays,
  stoppingAt,
  trainGroup,
} from './search-fixture.ts';
import { outcomeOf, SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeAll(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
  trainer = await newTrainer('one');
});
afterAll(() => harness[Symbol.asyncDispose]());
// What a failed test leaves must not disturb the next one.
afterEach(async () => {
  const live = await harness.query<{ sweep_id: string }>(
    `SELECT sweep_id FROM sweeps WHERE state IN ('ACTIVE', 'PAUSED')`,
  );
  for (const { sweep_id: sweepId } of live) await harness.sweeps.killSweep({ sweepId, reason: '' });
});

const WITHOUT_HEAD = { epochs: 0, 'fine_tune.allow_untrained_head': true };

async function newTrainer(trainerId: string): Promise<SimulatedTrainer> {
  const made = new SimulatedTrainer(harness.trainers, harness.artifacts, trainerId);
  await made.register(1, undefined, RECIPE_VERSION);
  return made;
}

/** Lets an attempt find the checkpoint that its runs start from damaged. */
async function reportDamagedSource(by: SimulatedTrainer, task: LeasedTask): Promise<CheckpointRef> {
  const source = task.runs[0]?.sourceCheckpoint;
  if (!source) throw new Error('the task starts from no checkpoint');
  damageFile(harness.artifacts.localPath(source.uri), 'flip');
  const message = `${source.uri} is damaged`;
  await by.fail(task, {
    errorClass: 'INFRASTRUCTURE',
    code: 'CHECKPOINT_DAMAGED',
    message,
    damagedCheckpointIds: [source.checkpointId],
  });
  return source;
}

async function workToEnd(): Promise<void> {
  for (;;) {
    await skipDelays(harness);
    const task = await trainer.lease(0, 300);
    if (task === null) return;
    if (task.stage === 'HEAD' || task.stage === 'FINE_TUNE') await trainGroup(trainer, task);
    else await trainer.work(task);
  }
}

describe('a member of a promoted group that fails', { timeout: 60_000 }, () => {
  it.each(['COUNTED', 'MEMORY', 'INFRASTRUCTURE'] as const)(
    'by an error that is %s trains alone to the same rung',
    async (errorClass) => {
      const sweepId = await harness.submit(
        groupSpec([1e-5, 2e-5, 3e-5, 4e-5, 5e-5, 6e-5], {}, { stopping: stoppingAt([4], { synchronous: true }) }),
      );
      const group = await leaseNext(trainer, 'FINE_TUNE');
      expect(group.runs).toHaveLength(3);
      const bad = group.runs[1]?.runId ?? '';
      await trainGroup(trainer, group, { failing: new Map([[bad, { errorClass }]]) });
      await skipDelays(harness);
      const alone = await trainer.mustLease('FINE_TUNE');
      const source = group.runs[1]?.sourceCheckpoint?.checkpointId;
      expect(alone.runs.map((run) => [run.runId, run.pauseEpoch, run.sourceCheckpoint?.checkpointId])).toEqual([
        [bad, 4, source],
      ]);
      await trainGroup(trainer, alone);
      await workToEnd();
      await expectConclusion(harness, sweepId);
      // The best two of three are promoted to the end.
      expect((await runsOf(harness, sweepId)).filter(({ state }) => state === 'SUCCEEDED')).toHaveLength(2);
    },
  );
});

describe('a run that an earlier version has trained beyond its rung', { timeout: 60_000 }, () => {
  it.each([
    [7, 0],
    [9, 1],
  ])('waits after epoch %i at rung %i, and its sweep ends', async (epoch, rung) => {
    const sweepId = await harness.submit(groupSpec([1e-5, 2e-5, 3e-5], WITHOUT_HEAD, { stopping: stoppingAt([4, 8]) }));
    const old = await leaseNext(trainer, 'FINE_TUNE');
    trainer.knowsRungs = false;
    await trainGroup(trainer, old, { diesAfter: epoch });
    trainer.knowsRungs = true;
    await trainer.release(old, 1);
    await skipDelays(harness);
    const again = await trainer.mustLease('FINE_TUNE');
    expect(again.runs[0]).toMatchObject({ pauseEpoch: 4, resumeCheckpoint: { epoch } });
    await trainer.complete(again, {
      stage: 'TRAIN',
      outcomes: again.runs.map(({ runId }) => outcomeOf(runId, epoch, { kind: 'PAUSED' })),
    });
    const reached = await harness.query<{ run_id: string; rung: number }>(
      'SELECT run_id, max(rung) AS rung FROM rung_entries WHERE sweep_id = $1 GROUP BY run_id ORDER BY run_id',
      [sweepId],
    );
    expect(reached.map((row) => row.rung)).toEqual(again.runs.map(() => rung));
    await workToEnd();
    await expectConclusion(harness, sweepId);
  });
});

describe('runs that share an augmented head', { timeout: 60_000 }, () => {
  it('are judged with it at its milestones, all alike, and nothing of a stopped head trains on', async () => {
    const rates = (name: string, values: readonly number[]) =>
      ({ name, domain: { kind: 'values', values }, conditions: [] }) as const;
    const sweepId = await harness.submit(
      groupSpec(
        [],
        { epochs: 6 },
        {
          parameters: [
            rates('optimizer.learning_rate', [0.1, 0.01, 0.001]),
            rates('fine_tune.learning_rate', [1e-5, 2e-5]),
          ],
          stopping: { ...stoppingAt([4]), rule: 'asha', minEntries: 2, rungs: { head: [2], fineTune: [4] } },
        },
      ),
    );
    const head = await leaseNext(trainer, 'HEAD');
    expect(head.runs).toHaveLength(3);
    await trainer.report([1, 2].map((epoch) => trainer.batch(head, epoch, epoch)));
    const judged = await harness.query<{ head: string; verdicts: string[]; count: number }>(
      `SELECT coalesce(r.head_run_id, r.run_id) AS head, array_agg(DISTINCT t.verdict) AS verdicts, count(*)::int AS count
         FROM rung_tables t JOIN runs r ON r.run_id = t.run_id WHERE t.sweep_id = $1 AND t.rung = 0 GROUP BY 1 ORDER BY 1`,
      [sweepId],
    );
    expect(judged.map(({ head: runId, count, verdicts }) => [runId, count, verdicts.length])).toEqual(
      head.runs.map(({ runId }) => [runId, 2, 1]),
    );
    const stopped = judged.filter(({ verdicts }) => verdicts[0] === 'STOP').map((row) => row.head);
    expect(stopped.length).toBeGreaterThan(0);
    const idle = `SELECT count(*)::int AS count FROM runs WHERE head_run_id = ANY($1) AND state <> 'STOPPED'`;
    await expect.poll(async () => harness.query(idle, [stopped]), { timeout: 20_000 }).toEqual([{ count: 0 }]);
    const [answer] = await trainer.report([trainer.batch(head, 3, 3)]);
    expect(answer?.stoppedRunIds).toEqual(stopped);
    const kept = { ...head, runs: head.runs.filter(({ runId }) => !stopped.includes(runId)) };
    for (const { runId } of head.runs) await trainer.checkpoint(head, runId, 3, 'BEST');
    await trainer.report([4, 5, 6].map((epoch) => trainer.batch(kept, epoch, epoch)));
    const outcomes = head.runs.map(({ runId }) =>
      stopped.includes(runId) ? outcomeOf(runId, 3, { kind: 'STOPPED' }) : outcomeOf(runId, 6),
    );
    await trainer.complete(head, { stage: 'TRAIN', outcomes });
    await workToEnd();
    await expectConclusion(harness, sweepId);
    const tuned = await harness.query(
      `SELECT DISTINCT r.run_index FROM epoch_metrics m JOIN runs r USING (run_id)
        WHERE m.stage = 'FINE_TUNE' AND coalesce(r.head_run_id, r.run_id) = ANY($1)`,
      [stopped],
    );
    expect(tuned).toEqual([]);
  });
});

describe('the rungs of a sweep', { timeout: 60_000 }, () => {
  it('follow from the runs that can be trained', async () => {
    const changes = {
      parameters: [],
      strategy: 'list',
      variants: [{}, { 'fine_tune.epochs': 300, class_weights: '{"dgo": 2}' }],
      stopping: { ...stoppingAt([]), rungs: null },
    } as const;
    const sweepId = await harness.submit(groupSpec([], WITHOUT_HEAD, changes));
    await workToEnd();
    expect((await runsOf(harness, sweepId))[1]?.state).toBe('INFEASIBLE');
    const rungs = await harness.query('SELECT epoch FROM rungs WHERE sweep_id = $1 ORDER BY rung', [sweepId]);
    // A third of 12 epochs, and the end; of 300 epochs they would be 34 and 100.
    expect(rungs).toEqual([{ epoch: 4 }, { epoch: null }]);
    await expectConclusion(harness, sweepId);
  });
});

describe('an entry at a rung', { timeout: 60_000 }, () => {
  it('that comes after that of a higher rung says why, and both verdicts can be replayed', async () => {
    const stopping = stoppingAt([4, 8], { rule: 'median', minEntries: 2 });
    const sweepId = await harness.submit(groupSpec([1e-5, 2e-5, 3e-5], WITHOUT_HEAD, { stopping }));
    const task = await leaseNext(trainer, 'FINE_TUNE');
    const batches = Array.from({ length: 12 }, (_, index) => trainer.batch(task, index + 1, index + 1));
    for (const batch of batches.slice(0, 4)) batch.rungs = [];
    await trainer.report(batches);
    for (const { runId } of task.runs) await trainer.checkpoint(task, runId, 12, 'BEST');
    const stopped = (await runsOf(harness, sweepId)).filter(({ state }) => state === 'STOPPING');
    const outcomes = task.runs.map(({ runId }) =>
      outcomeOf(runId, 12, { kind: stopped.some((run) => run.run_id === runId) ? 'STOPPED' : 'SUCCEEDED' }),
    );
    await trainer.complete(task, { stage: 'TRAIN', outcomes });
    await workToEnd();
    await expectConclusion(harness, sweepId);
    const late = await harness.query(
      `SELECT DISTINCT kind, reason FROM decision_log WHERE sweep_id = $1 AND rung = 0`,
      [sweepId],
    );
    expect(late).toEqual([{ kind: 'CONTINUE', reason: 'trained on: no report came when it passed the rung' }]);
  });

  it.each([true, false])('of an infeasible run stays there if the sweep is synchronous (%s)', async (synchronous) => {
    const stopping = stoppingAt([4], { synchronous });
    const base = { ...WITHOUT_HEAD, method: 'cached' } as const;
    const sweepId = await harness.submit(groupSpec([1e-5, 2e-5, 3e-5], base, { stopping }));
    const bad = await leaseNext(trainer, 'FINE_TUNE');
    await trainer.report([1, 2, 3, 4].map((epoch) => trainer.batch(bad, epoch, epoch)));
    await trainer.fail(bad, { errorClass: 'PERMANENT', code: 'UNSUPPORTED_MODEL', message: 'no such layer' });
    expect((await runsOf(harness, sweepId))[0]?.state).toBe('INFEASIBLE');
    await workToEnd();
    await expectConclusion(harness, sweepId);
    const seen = await harness.query<{ left: number[] | null }>(
      `SELECT d.inputs -> 'left' AS left FROM decisions d JOIN runs r USING (run_id)
        WHERE d.sweep_id = $1 AND d.kind = 'PAUSE' AND r.run_index > 0 ORDER BY d.decision_id`,
      [sweepId],
    );
    expect(seen).toEqual([{ left: synchronous ? null : [1] }, { left: synchronous ? null : [1] }]);
  });
});

/** The runs of a head tie at its end; by the lot of the sweep's seed, 1, its own run is promoted first. */
describe('a head that is retrained', { timeout: 60_000 }, () => {
  it('moves no run of its sweep that has trained beyond it', async () => {
    const sweepId = await harness.submit(groupSpec([1e-5, 2e-5, 3e-5, 4e-5], { method: 'cached' }));
    const first = await leaseNext(trainer, 'FINE_TUNE');
    await trainGroup(trainer, first);
    const second = await trainer.mustLease('FINE_TUNE');
    expect((await runsOf(harness, sweepId))[0]).toMatchObject({ state: 'PAUSED', paused_rung: 1 });
    const { runId } = await reportDamagedSource(trainer, second);
    expect(runId).toBe(first.runs[0]?.runId);
    const head = await trainer.mustLease('HEAD');
    await trainGroup(trainer, head);
    expect((await runsOf(harness, sweepId))[0]).toMatchObject({ state: 'PAUSED', paused_rung: 1 });
    await workToEnd();
    await expectConclusion(harness, sweepId);
  });

  it('for another sweep is entered at no rung of it, and moves no run of its own', async () => {
    const seed = 77;
    const own = await harness.submit(
      groupSpec([1e-5], { method: 'cached', seed }, { reuse: true, stopping: stoppingAt([4]) }),
    );
    const waiting = await leaseNext(trainer, 'FINE_TUNE');
    await harness.sweeps.pauseSweep({ sweepId: own, reason: '' });
    await trainer.release(waiting, 2);
    const before = await runsOf(harness, own);
    const stopping = stoppingAt([4], { rule: 'asha', minEntries: 2 });
    const sweepId = await harness.submit(
      groupSpec([2e-5, 3e-5, 4e-5], { method: 'cached', seed }, { reuse: true, stopping }),
    );
    const task = await leaseNext(trainer, 'FINE_TUNE');
    const source = await reportDamagedSource(trainer, task);
    expect(source.runId).toBe(before[0]?.run_id);
    const head = await trainer.mustLease('HEAD');
    expect(head.runs.map(({ runId }) => runId)).toEqual([source.runId]);
    expect(await runsOf(harness, own)).toEqual(before);
    await trainGroup(trainer, head);
    expect(await runsOf(harness, own)).toEqual(before);
    await expectSoundTables(harness, sweepId);
    await workToEnd();
    await expectConclusion(harness, sweepId);
    await harness.sweeps.resumeSweep({ sweepId: own });
    await workToEnd();
    await expectConclusion(harness, own);
  });

  it('is no result of the fine-tuning that ends while it trains', async () => {
    const other = await newTrainer('two');
    const sweepId = await harness.submit(groupSpec([1e-5, 2e-5, 3e-5, 4e-5], { method: 'cached' }));
    const first = await leaseNext(trainer, 'FINE_TUNE');
    const second = await other.mustLease('FINE_TUNE');
    await reportDamagedSource(other, second);
    const head = await other.mustLease('HEAD');
    await trainGroup(trainer, first);
    expect((await runsOf(harness, sweepId))[0]).toMatchObject({ state: 'PAUSED', paused_rung: 1 });
    await trainGroup(other, head);
    expect((await runsOf(harness, sweepId))[0]).toMatchObject({ state: 'PAUSED', paused_rung: 1 });
    await workToEnd();
    await expectConclusion(harness, sweepId);
  });
});
