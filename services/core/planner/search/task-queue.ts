/** A task of the queue. */
export interface QueuedTask {
  /** Prerequisites that have not ended. */
  waitsFor: number;
  hasEnded: boolean;
  readonly dependents: QueuedTask[];
  /** Seconds of its parts. A part that is asked for has been reached; the end of the parts is the end of the task. */
  readonly parts: Iterator<number>;
}

/** Tasks on equal slots and a virtual clock. A slot takes the ready task that was ready first. */
export class TaskQueue {
  /** Seconds since the first task began. */
  now = 0;
  /** Seconds of all parts that began. */
  spentSeconds = 0;
  readonly #slotCount: number;
  readonly #ready: QueuedTask[] = [];
  readonly #running: { readonly at: number; readonly task: QueuedTask }[] = [];

  constructor(slotCount: number) {
    this.#slotCount = slotCount;
  }

  /** Number of tasks that are ready or running. */
  get openCount(): number {
    return this.#ready.length + this.#running.length;
  }

  /** Seconds until the running parts end. */
  get openSeconds(): number {
    return this.#running.reduce((sum, { at }) => sum + at - this.now, 0);
  }

  /** Adds a task that begins when its prerequisites have ended. */
  add(after: readonly QueuedTask[], parts: Iterable<number>): QueuedTask {
    const missing = after.filter(({ hasEnded }) => !hasEnded);
    const task = { waitsFor: missing.length, hasEnded: false, dependents: [], parts: parts[Symbol.iterator]() };
    for (const prerequisite of missing) prerequisite.dependents.push(task);
    if (missing.length === 0) this.#ready.push(task);
    return task;
  }

  /** Advances the clock to the end of the next part. Returns whether there was one. */
  proceed(): boolean {
    while (this.#running.length < this.#slotCount) {
      const task = this.#ready.shift();
      if (task === undefined) break;
      this.#continue(task);
    }
    const next = this.#running.shift();
    if (next === undefined) return false;
    this.now = next.at;
    this.#continue(next.task);
    return true;
  }

  /** Begins the next part of a task, or ends it. */
  #continue(task: QueuedTask): void {
    const part = task.parts.next();
    if (part.done === true) {
      task.hasEnded = true;
      for (const dependent of task.dependents) if (--dependent.waitsFor === 0) this.#ready.push(dependent);
      return;
    }
    this.spentSeconds += part.value;
    const at = this.now + part.value;
    const place = this.#running.findIndex((other) => other.at > at);
    this.#running.splice(place < 0 ? this.#running.length : place, 0, { at, task });
  }
}
