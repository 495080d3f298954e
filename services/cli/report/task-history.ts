import type { StoredEvent } from '../../core/records/event.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { GraftClient } from '../client/client-port.ts';
import { hasEnded } from './report-data.ts';
import type { TaskAttempt, TaskHistory } from './report-data.ts';

/** Silence that ends the events of an unfinished sweep, which has no last event. */
const SILENCE_MS = 1_500;
/** Longest wait for that silence: a busy sweep is never silent. */
const LONGEST_MS = 20_000;

/** Reads the attempts of a sweep's tasks from its events; for an unfinished sweep, those until now. */
export async function readTaskHistory(
  client: GraftClient,
  sweep: SweepRecord,
  signal: AbortSignal,
): Promise<readonly TaskHistory[]> {
  const events: StoredEvent[] = [];
  const silent = new AbortController();
  const begin = Date.now();
  const timer = hasEnded(sweep) ? null : setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    for await (const event of client.watchSweep(sweep.sweepId, 0n, AbortSignal.any([signal, silent.signal]))) {
      events.push(event);
      if (timer === null) continue;
      if (Date.now() - begin > LONGEST_MS) break;
      timer.refresh();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!silent.signal.aborted) throw error;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
  return foldTasks(events);
}

/** Returns the attempts of every task in lease order. */
export function foldTasks(events: readonly StoredEvent[]): readonly TaskHistory[] {
  const tasks = new Map<string, { stage: TaskHistory['stage']; attempts: TaskAttempt[] }>();
  for (const { event, eventTime } of events) {
    if (event.kind !== 'TASK') continue;
    const task = tasks.get(event.taskId) ?? { stage: event.stage, attempts: [] };
    tasks.set(event.taskId, task);
    const last = task.attempts.at(-1);
    if (event.state === 'LEASED' || last === undefined) {
      const { trainerId, state, message } = event;
      task.attempts.push({ trainerId, startTime: eventTime, endTime: null, state, message });
    } else {
      task.attempts[task.attempts.length - 1] = {
        ...last,
        endTime: eventTime,
        state: event.state,
        message: event.message,
      };
    }
  }
  return [...tasks].map(([taskId, task]) => ({ taskId, ...task }));
}
