import type { LeasedTask } from '../../../services/core/task.ts';
import type { SlotCommand, SlotEvent } from '../../../services/trainer/slots/worker-protocol.ts';
import { runTask } from '../../../services/trainer/training/run-task.ts';
import { TaskLink } from '../../../services/trainer/training/task-link.ts';
import type { WorkerOptions } from '../../../services/trainer/training/task-context.ts';
import { isEnd } from './worker-process.ts';
import type { CompletedResult, EndEvent, TaskRunner } from './worker-process.ts';

type Command = Exclude<SlotCommand, { type: 'start' }>;

/** Runs tasks like a worker process, in this process: it starts faster, and its memory can be inspected. */
export class InProcessWorker implements TaskRunner {
  readonly events: SlotEvent[] = [];
  /** Called at each event; may answer with commands. */
  onEvent: (event: SlotEvent, send: (command: Command) => void) => void = () => undefined;
  readonly #options: WorkerOptions;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  async run(task: LeasedTask): Promise<EndEvent> {
    const ends: EndEvent[] = [];
    const link: TaskLink = new TaskLink(task.taskId, (event) => {
      this.events.push(event);
      if (isEnd(event)) ends.push(event);
      this.onEvent(event, (command) => link.receive(command));
    });
    await runTask(task, this.#options, link);
    const [end] = ends;
    if (end === undefined || ends.length > 1) throw new Error(`Task ${task.taskId} had ${ends.length} ends.`);
    return end;
  }

  async complete<S extends CompletedResult['stage']>(
    task: LeasedTask,
    stage: S,
  ): Promise<Extract<CompletedResult, { stage: S }>> {
    const end = await this.run(task);
    if (end.type !== 'completed' || end.result.stage !== stage)
      throw new Error(`Unexpected end: ${JSON.stringify(end)}`);
    return end.result as Extract<CompletedResult, { stage: S }>;
  }
}
