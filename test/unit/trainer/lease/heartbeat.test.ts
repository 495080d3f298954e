import { describe, expect, it } from 'vitest';
import { leaseTimingFor } from '../../../../services/core/lease.ts';
import { TrainerUnknownError } from '../../../../services/core/errors.ts';
import { createLogger } from '../../../../services/platform/telemetry/logger.ts';
import type { Coordinator, TaskDirective, TaskProgress } from '../../../../services/trainer/lease/coordinator-port.ts';
import { Heartbeat } from '../../../../services/trainer/lease/heartbeat.ts';

const PROGRESS: TaskProgress = { taskId: 't1', leaseEpoch: 1, stepCount: 3, stepLimit: 9, detail: 'epoch 1' };

class Bench {
  nowMs = 0;
  readonly sent: (readonly TaskProgress[])[] = [];
  readonly directives: TaskDirective[] = [];
  readonly silences: number[] = [];
  registrations = 0;
  answer: () => Promise<readonly TaskDirective[]> = () => Promise.resolve([]);
  onSent: () => void = () => undefined;
  readonly heartbeatMs: number;
  readonly heartbeat = new Heartbeat({
    coordinator: {
      heartbeat: (tasks: readonly TaskProgress[]) => {
        this.sent.push(tasks);
        const answer = this.answer();
        this.onSent();
        return answer;
      },
    } as unknown as Coordinator,
    timing: () => ({ ...leaseTimingFor(30_000), heartbeatMs: this.heartbeatMs }),
    log: createLogger('test', 'silent'),
    tasks: () => [PROGRESS],
    isDraining: () => false,
    onDirective: (directive) => this.directives.push(directive),
    onSilence: (silentMs) => this.silences.push(silentMs),
    register: () => {
      this.registrations += 1;
      return Promise.resolve();
    },
    now: () => this.nowMs,
  });

  constructor(heartbeatMs = 5) {
    this.heartbeatMs = heartbeatMs;
  }

  async untilSent(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.onSent = (): void => {
        if (this.sent.length >= count) resolve();
      };
      this.onSent();
    });
    // The answer is processed in the microtasks after it.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('Heartbeat', () => {
  it('reports progress and passes directives on', async () => {
    const bench = new Bench();
    const directive: TaskDirective = { taskId: 't1', leaseEpoch: 1, command: 'PAUSE', stoppedRunIds: [] };
    bench.answer = () => Promise.resolve([directive]);
    bench.heartbeat.start();
    await bench.untilSent(3);
    await bench.heartbeat.stop();
    expect(bench.sent[0]).toEqual([PROGRESS]);
    expect(bench.directives[0]).toEqual(directive);
  });

  it('registers when the coordinator does not know the trainer', async () => {
    const bench = new Bench();
    bench.answer = () => Promise.reject(new TrainerUnknownError('x'));
    bench.heartbeat.start();
    await bench.untilSent(2);
    await bench.heartbeat.stop();
    expect(bench.registrations).toBeGreaterThanOrEqual(1);
  });

  it('stops at once, even while it awaits an answer', async () => {
    const bench = new Bench(60_000);
    let answer = (): void => undefined;
    bench.answer = () => new Promise((resolve) => (answer = (): void => resolve([])));
    bench.heartbeat.start();
    await bench.untilSent(1);
    const stopped = bench.heartbeat.stop();
    answer();
    await stopped;
    expect(bench.sent).toHaveLength(1);
  });

  it('reports each silence once, measured from the sending of the last answered heartbeat', async () => {
    const bench = new Bench();
    bench.answer = () => {
      // The answer takes ten seconds; the lease starts before them.
      bench.nowMs += 10_000;
      return Promise.resolve([]);
    };
    bench.heartbeat.start();
    await bench.untilSent(1);
    await bench.heartbeat.stop();
    const answeredAt = bench.nowMs - 10_000;
    bench.nowMs = answeredAt + 25_000;
    bench.heartbeat.checkSilence();
    expect(bench.silences).toEqual([]);
    bench.nowMs = answeredAt + 25_001;
    bench.heartbeat.checkSilence();
    bench.nowMs += 60_000;
    bench.heartbeat.checkSilence();
    expect(bench.silences).toEqual([25_001]);
  });
});
