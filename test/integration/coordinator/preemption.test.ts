import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeasedTask } from '../../../services/core/task.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { RunState } from '../../../proto/gen/graft/v1/run.ts';
import { ReleaseReason, TaskCommand } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { metricsOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ reaperMs: 50 });
  trainer = await harness.trainer('t', 2);
});
afterEach(() => harness[Symbol.asyncDispose]());

const NO_CHANGE = { addTags: [], removeTags: [] };
/** Two HEAD tasks, because their batches differ. */
const TWO_TASKS = [{ name: 'batch_size', domain: { kind: 'values', values: [16, 32] }, conditions: [] }] as const;

/** Submits a sweep, and leases both of its HEAD tasks. */
async function withHeads(change: Partial<SweepSpec> = {}): Promise<{ sweepId: string; heads: LeasedTask[] }> {
  const sweepId = await harness.submit(specOf({ parameters: TWO_TASKS, ...change }));
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  return { sweepId, heads: [await trainer.mustLease('HEAD', 0), await trainer.mustLease('HEAD', 1)] };
}

async function commands(tasks: readonly LeasedTask[]): Promise<(TaskCommand | undefined)[]> {
  return (await trainer.heartbeat(tasks)).map(({ command }) => command);
}

async function passes(): Promise<void> {
  await harness.coordinator.loops.passes(2);
}

describe('a sweep of a higher priority', () => {
  it('gets the slot of the task with the freshest checkpoint, which continues later where it was saved', async () => {
    const { sweepId, heads } = await withHeads();
    const [stale, fresh] = heads as [LeasedTask, LeasedTask];
    const runId = fresh.runs[0]?.runId ?? '';
    await trainer.report([trainer.batch(stale, 1, 1), trainer.batch(fresh, 1, 1)]);
    await trainer.checkpoint(stale, stale.runs[0]?.runId ?? '', 1, 'LAST');
    await trainer.checkpoint(fresh, runId, 1, 'LAST');
    await passes();
    expect(await commands(heads)).toEqual([0, 0]);

    const urgent = await harness.submit(specOf({ priority: 5 }));
    await expect.poll(() => commands(heads)).toEqual([0, TaskCommand.PAUSE]);
    const why = `its slot goes to sweep ${urgent} (priority 5)`;
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.stateReason).toBe(`task ${fresh.taskId} is preempted: ${why}`);
    expect((await harness.sweeps.getRun({ runId })).run).toMatchObject({
      state: RunState.RUNNING,
      stateReason: `is preempted: ${why}`,
    });
    const decisions = await harness.query('SELECT kind, run_id, reason FROM decision_log WHERE sweep_id = $1', [
      sweepId,
    ]);
    expect(decisions).toEqual([
      { kind: 'PREEMPT', run_id: runId, reason: `task ${fresh.taskId} is preempted: ${why}` },
    ]);
    // The same for every pass until the trainer obeys.
    await passes();
    expect(await commands(heads)).toEqual([0, TaskCommand.PAUSE]);

    await trainer.report([trainer.batch(fresh, 2, 2)]);
    await trainer.checkpoint(fresh, runId, 2, 'LAST');
    await trainer.release(fresh, ReleaseReason.PAUSED);
    await trainer.release(fresh, ReleaseReason.PAUSED);
    expect((await harness.sweeps.getRun({ runId })).run).toMatchObject({
      state: RunState.QUEUED,
      stateReason: `preempted: ${why}; continues from its checkpoint`,
    });
    expect(
      await harness.query(
        `SELECT t.state, t.command, t.command_reason, t.failure_count, t.infrastructure_count, a.state AS attempt,
                a.error_code, a.message
           FROM tasks t JOIN attempts a USING (task_id, lease_epoch) WHERE task_id = $1`,
        [fresh.taskId],
      ),
    ).toEqual([
      {
        state: 'READY',
        command: null,
        command_reason: '',
        failure_count: 0,
        infrastructure_count: 0,
        attempt: 'RELEASED',
        error_code: 'PREEMPTED',
        message: `preempted: ${why}`,
      },
    ]);

    for (;;) {
      const task = await trainer.lease(1);
      if (task?.sweepId !== urgent) {
        expect(task).toMatchObject({ taskId: fresh.taskId, leaseEpoch: 2 });
        expect(task?.runs[0]?.resumeCheckpoint?.epoch).toBe(2);
        if (task !== null) await trainer.work(task);
        break;
      }
      // Its tasks follow each other without a gap in which the other would return.
      await trainer.work(task);
      await passes();
    }
    await trainer.work(stale);
    await trainer.workAll();
    expect((await harness.sweeps.getSweep({ sweepId })).sweep?.stateReason).toBe('');
    const curve = await harness.query<{ epoch: number; val_loss: number }>(
      'SELECT epoch, val_loss FROM epoch_curves WHERE run_id = $1 ORDER BY epoch',
      [runId],
    );
    expect(curve).toEqual(
      [1, 2, 3].map((epoch) => ({ epoch, val_loss: metricsOf({ runId }, 'HEAD', epoch)['val_loss'] })),
    );
    const events = (await harness.watch(sweepId)).flatMap(({ event }) =>
      event?.$case === 'task' && event.value.taskId === fresh.taskId ? [event.value.message] : [],
    );
    expect(events).toContain(`preempted: ${why}`);
  });

  it('preempts no equal, and nothing while a slot is idle', async () => {
    const { sweepId, heads } = await withHeads();
    await harness.submit(specOf());
    await harness.submit(specOf({ priority: -1 }));
    await passes();
    expect(await commands(heads)).toEqual([0, 0]);
    await harness.trainer('idle');
    await harness.submit(specOf({ priority: 5 }));
    await passes();
    expect(await commands(heads)).toEqual([0, 0]);
    // A change of priority is enough.
    await harness.sweeps.updateSweep({ sweepId, priority: -1, ...NO_CHANGE });
    await expect.poll(() => commands(heads)).toEqual([0, TaskCommand.PAUSE]);
  });

  it('preempts nothing on slots that are too small for its task', async () => {
    const { heads } = await withHeads();
    await harness.query('UPDATE slots SET memory_bytes = 1000');
    const urgent = await harness.submit(specOf());
    await harness.query('UPDATE tasks SET required_memory_bytes = 2000 WHERE sweep_id = $1', [urgent]);
    await harness.sweeps.updateSweep({ sweepId: urgent, priority: 5, ...NO_CHANGE });
    await passes();
    expect(await commands(heads)).toEqual([0, 0]);
    await harness.query('UPDATE slots SET memory_bytes = 2000 WHERE slot_index = 0');
    await expect.poll(() => commands(heads)).toEqual([TaskCommand.PAUSE, 0]);
  });

  it('preempts no more than its max_parallel_slots', async () => {
    const { heads } = await withHeads();
    const urgent = await harness.submit(specOf({ priority: 5, maxParallelSlots: 1 }));
    await expect.poll(async () => (await commands(heads)).filter((command) => command !== 0).length).toBe(1);
    const [kept, victim] = (await commands(heads))[0] === 0 ? heads : heads.toReversed();
    await trainer.release(victim as LeasedTask, ReleaseReason.PAUSED);
    const slotIndex = victim === heads[0] ? 0 : 1;
    await trainer.work(await trainer.mustLease('INDEX', slotIndex));
    expect(await trainer.lease(slotIndex)).toMatchObject({ sweepId: urgent });
    await passes();
    expect(await commands([kept as LeasedTask])).toEqual([0]);
  });

  it('lets a task that was preempted make progress before it is preempted again', async () => {
    const { heads } = await withHeads({ maxParallelSlots: 2 });
    const urgent = await harness.submit(specOf({ priority: 5 }));
    await expect.poll(async () => (await commands(heads)).filter((command) => command !== 0).length).toBe(1);
    const index = (await commands(heads)).indexOf(TaskCommand.PAUSE);
    await trainer.release(heads[index] as LeasedTask, ReleaseReason.PAUSED);
    await harness.sweeps.pauseSweep({ sweepId: urgent, reason: '' });
    const again = await trainer.mustLease('HEAD', index);
    expect(again).toMatchObject({ taskId: heads[index]?.taskId, leaseEpoch: 2 });
    // The other one has made progress.
    const both = heads.with(index, again);
    const other = both[1 - index] as LeasedTask;
    await commands([other]);
    await harness.sweeps.resumeSweep({ sweepId: urgent });
    await expect.poll(() => commands([other])).toEqual([TaskCommand.PAUSE]);
    const [row] = await harness.query('SELECT command FROM tasks WHERE task_id = $1', [again.taskId]);
    expect(row).toEqual({ command: null });
  });
});

it('takes slots back from a sweep whose bound was lowered', async () => {
  const { sweepId, heads } = await withHeads();
  await harness.sweeps.updateSweep({ sweepId, maxParallelSlots: 1, ...NO_CHANGE });
  await expect.poll(async () => (await commands(heads)).filter((command) => command !== 0).length).toBe(1);
  const index = (await commands(heads)).indexOf(TaskCommand.PAUSE);
  await trainer.release(heads[index] as LeasedTask, ReleaseReason.PAUSED);
  await passes();
  expect(await commands([heads[1 - index] as LeasedTask])).toEqual([0]);
  expect(await trainer.lease(index)).toBeNull();
  const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
  expect(runs[index]).toMatchObject({
    state: RunState.QUEUED,
    stateReason: expect.stringContaining('the sweep may use 1 slots at once (max_parallel_slots)') as string,
  });
});
