import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask, RunOutcome } from '../../../services/core/task.ts';
import type { SlotCommand, SlotEvent } from '../../../services/trainer/slots/worker-protocol.ts';

/**
 * A worker without TensorFlow, for tests of the supervisor. The first run's parameters control it: `script` (train, crash, killed,
 * out-of-memory, hang, fail), `epochs` and `step_ms`.
 */
let current: { readonly task: LeasedTask; asked: 'pause' | 'stop' | null; stoppedRuns: Set<string> } | null = null;

function send(event: SlotEvent): void {
  process.send?.(event);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function work(task: LeasedTask): Promise<void> {
  const state = { task, asked: null as 'pause' | 'stop' | null, stoppedRuns: new Set<string>() };
  current = state;
  const { taskId, stage } = task;
  const parameters = task.runs[0]?.parameters ?? {};
  const script = String(parameters['script'] ?? 'train');
  const epochs = Number(parameters['epochs'] ?? 3);
  const stepMs = Number(parameters['step_ms'] ?? 5);
  const done = new Map(task.runs.map(({ runId, resumeCheckpoint }) => [runId, resumeCheckpoint?.epoch ?? 0]));
  for (let epoch = Math.max(...done.values()) + 1; epoch <= epochs; epoch += 1) {
    send({ type: 'progress', taskId, stepCount: epoch, stepLimit: epochs, detail: `epoch ${epoch}` });
    await sleep(stepMs);
    for (const { runId } of task.runs) {
      if (state.stoppedRuns.has(runId)) continue;
      const values = { loss: 1 / epoch, val_loss: 2 / epoch, ...speedOf(parameters) };
      send({ type: 'epoch', taskId, runId, stage, epoch, values });
      done.set(runId, epoch);
      sendCheckpoint(task, runId, epoch);
    }
    if (misbehave(script, task)) return;
    if (script === 'hang') await new Promise(() => undefined);
    // A message may have set it during the delay.
    const { asked } = state;
    if (asked !== null) {
      current = null;
      send({ type: 'stopped', taskId, action: asked });
      return;
    }
  }
  current = null;
  const outcomes = task.runs.map(({ runId }): RunOutcome => ({
    runId,
    kind: state.stoppedRuns.has(runId) ? 'STOPPED' : 'SUCCEEDED',
    error: null,
    epochCount: done.get(runId) ?? 0,
    peakMemoryBytes: 1,
  }));
  send({ type: 'completed', taskId, result: { stage: 'TRAIN', outcomes } });
}

/** Epochs of half a second, for tests of the speed. */
function speedOf(parameters: Parameters): Readonly<Record<string, number>> {
  const rate = parameters['images_per_second'];
  return rate === undefined ? {} : { seconds: 0.5, images_per_second: Number(rate) };
}

function sendCheckpoint(task: LeasedTask, runId: string, epoch: number): void {
  send({
    type: 'checkpoint',
    taskId: task.taskId,
    checkpoint: {
      checkpointId: '',
      runId,
      stage: task.stage,
      epoch,
      kind: 'LAST',
      uri: `checkpoints/${runId}-${epoch}`,
      sha256: '00',
      sizeBytes: 1,
      value: 2 / epoch,
    },
  });
}

/** @returns whether the task has ended. */
function misbehave(script: string, task: LeasedTask): boolean {
  if (script === 'crash') {
    process.stderr.write('tensor of the wrong shape\n');
    process.exit(3);
  }
  if (script === 'killed') process.kill(process.pid, 'SIGKILL');
  if (script === 'out-of-memory') {
    process.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n");
    process.abort();
  }
  if (script === 'fail') {
    const error = { errorClass: 'NUMERIC', code: 'NUMERIC', message: 'loss is NaN', datasetProblems: [] } as const;
    send({ type: 'failed', taskId: task.taskId, error });
    current = null;
    return true;
  }
  return false;
}

process.on('message', (command: SlotCommand) => {
  if (command.type === 'start') {
    void work(command.task);
  } else if (current?.task.taskId === command.taskId) {
    if (command.type === 'stop-run') current.stoppedRuns.add(command.runId);
    else if (command.action !== 'checkpoint') current.asked = command.action;
  }
});
process.on('disconnect', () => process.exit(0));

send({
  type: 'ready',
  engine: { engineVersion: 'none', deviceKind: 'cpu', deviceName: 'test', threadCount: 1, memoryBytes: 1 },
});
