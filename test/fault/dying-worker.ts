import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { LeasedTask, RunOutcome } from '../../services/core/task.ts';
import type { SlotCommand, SlotEvent } from '../../services/trainer/slots/worker-protocol.ts';

/**
 * A worker without TensorFlow that really dies, in the way that the file `GRAFT_TEST_DEATH` names: by itself, by a signal, or for lack
 * of memory. `NONE` completes.
 */
export const DEATHS = ['SIGKILL', 'SIGSEGV', 'EXIT', 'MEMORY', 'NAN', 'NONE'] as const;
export type Death = (typeof DEATHS)[number];

/** Limit of the address space: more than Node reserves at its start, less than the loop allocates. */
const ADDRESS_SPACE_GIB = 40;
const BLOCK_BYTES = 1024 ** 3;

function send(event: SlotEvent): void {
  process.send?.(event);
}

function work(task: LeasedTask): void {
  const { taskId, runs } = task;
  send({ type: 'progress', taskId, stepCount: 1, stepLimit: 9, detail: 'epoch 1, step 1 of 9' });
  switch (readFileSync(process.env['GRAFT_TEST_DEATH'] ?? '', 'utf8') as Death) {
    case 'SIGKILL':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'SIGSEGV':
      process.kill(process.pid, 'SIGSEGV');
      return;
    case 'EXIT':
      process.stderr.write('a native library gave up\n');
      process.exit(3);
      return;
    case 'MEMORY':
      askForTooMuch();
      return;
    case 'NAN': {
      const message = 'loss of epoch 2 (HEAD) is NaN.';
      const error = { errorClass: 'NUMERIC', code: 'LOSS_NOT_FINITE', message, datasetProblems: [] } as const;
      const outcomes = runs.map(({ runId }, index): RunOutcome =>
        index === 0
          ? { runId, kind: 'FAILED', error, epochCount: 1, peakMemoryBytes: 1 }
          : { runId, kind: 'SUCCEEDED', error: null, epochCount: 3, peakMemoryBytes: 1 },
      );
      send({ type: 'completed', taskId, result: { stage: 'TRAIN', outcomes } });
      return;
    }
    case 'NONE': {
      const outcomes = runs.map(({ runId }): RunOutcome => ({
        runId,
        kind: 'SUCCEEDED',
        error: null,
        epochCount: 3,
        peakMemoryBytes: 1,
      }));
      send({ type: 'completed', taskId, result: { stage: 'TRAIN', outcomes } });
    }
  }
}

/** Limits the process' address space, so that the kernel refuses memory. */
function askForTooMuch(): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--as=${ADDRESS_SPACE_GIB * BLOCK_BYTES}`]);
  const held: ArrayBuffer[] = [];
  for (;;) held.push(new ArrayBuffer(BLOCK_BYTES));
}

process.on('message', (command: SlotCommand) => {
  if (command.type === 'start') work(command.task);
});
process.on('disconnect', () => process.exit(0));

send({
  type: 'ready',
  engine: { engineVersion: 'none', deviceKind: 'cpu', deviceName: 'test', threadCount: 1, memoryBytes: 0 },
});
