/** A task of the queue. */
export interface QueuedTask {
  /** Prerequisites that have not ended. */
  waitsFor: number;
  hasEnded: boolean;
  readonly dependents: QueuedTask[];
  /** Seconds of its parts. A part that is asked for has been reached; the end of the parts is the end of the task. */
  readonly parts: Iterator<number>;
  readonly forecastSeconds: number;
  /** Seconds of its parts that have ended. */
  workedSeconds: number;
}

interface RunningPart {
  readonly task: QueuedTask;
  readonly start: number;
  readonly end: number;
}

/** The time that may still be spent. */
export interface Limits {
  readonly slotSeconds: number;
  readonly wallSeconds: number;
}

/** Added to the moment at which a limit is reached, so that rounding leaves nothing below it. */
const ROUNDING_SECONDS = 1e-6;

/** Tasks on equal slots and a virtual clock. A slot takes the ready task that was ready first. */
export class TaskQueue {
  /** Seconds since the first task began. */
  now = 0;
  readonly #slotCount: number;
  readonly #waiting = new Set<QueuedTask>();
  readonly #ready: QueuedTask[] = [];
  /** Parts in the order of their ends. */
  readonly #running: RunningPart[] = [];
  #endedSeconds = 0;

  constructor(slotCount: number) {
    this.#slotCount = slotCount;
  }

  /** Number of tasks that have not ended; those that wait for others are as open as in a coordinator. */
  get openCount(): number {
    return this.#waiting.size + this.#ready.length + this.#running.length;
  }

  /** Seconds that slots have worked. */
  get spentSeconds(): number {
    return this.#running.reduce((sum, { start }) => sum + this.now - start, this.#endedSeconds);
  }

  /** Forecast of the rest of the open tasks. */
  get openSeconds(): number {
    const unstarted = [...this.#waiting, ...this.#ready].reduce((sum, { forecastSeconds }) => sum + forecastSeconds, 0);
    return this.#running.reduce((sum, { task, start }) => {
      return sum + Math.max(0, task.forecastSeconds - task.workedSeconds - (this.now - start));
    }, unstarted);
  }

  /** Adds a task that begins when its prerequisites have ended. */
  add(after: readonly QueuedTask[], forecastSeconds: number, parts: Iterable<number>): QueuedTask {
    const missing = after.filter(({ hasEnded }) => !hasEnded);
    const task: QueuedTask = {
      waitsFor: missing.length,
      hasEnded: false,
      dependents: [],
      parts: parts[Symbol.iterator](),
      forecastSeconds,
      workedSeconds: 0,
    };
    for (const prerequisite of missing) prerequisite.dependents.push(task);
    if (missing.length === 0) this.#ready.push(task);
    else this.#waiting.add(task);
    return task;
  }

  /** Advances the clock to the end of the next part, or to a limit if that comes first. Returns whether there was a part. */
  proceed({ slotSeconds, wallSeconds }: Limits): boolean {
    while (this.#running.length < this.#slotCount) {
      const task = this.#ready.shift();
      if (task === undefined) break;
      this.#continue(task);
    }
    const [next] = this.#running;
    if (next === undefined) return false;
    const limit = this.now + Math.min(wallSeconds, slotSeconds / this.#running.length) + ROUNDING_SECONDS;
    if (limit < next.end) {
      this.now = limit;
      return true;
    }
    this.#running.shift();
    this.now = next.end;
    const seconds = next.end - next.start;
    this.#endedSeconds += seconds;
    next.task.workedSeconds += seconds;
    this.#continue(next.task);
    return true;
  }

  /** Begins the next part of a task, or ends it. */
  #continue(task: QueuedTask): void {
    const part = task.parts.next();
    if (part.done === true) {
      task.hasEnded = true;
      for (const dependent of task.dependents) {
        if (--dependent.waitsFor > 0) continue;
        this.#waiting.delete(dependent);
        this.#ready.push(dependent);
      }
      return;
    }
    const end = this.now + part.value;
    const place = this.#running.findIndex((other) => other.end > end);
    this.#running.splice(place < 0 ? this.#running.length : place, 0, { task, start: this.now, end });
  }
}
