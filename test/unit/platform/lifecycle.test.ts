import { EventEmitter, once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { Loop } from '../../../services/platform/lifecycle/loop.ts';
import { EXIT_INTERRUPTED, runProcess } from '../../../services/platform/lifecycle/run-process.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';

const log = createLogger('test', 'silent');

describe('runProcess', () => {
  afterEach(() => {
    process.exitCode = undefined;
  });

  it('aborts the work on the first signal and exits immediately on the second', async () => {
    const signals = new EventEmitter();
    const exits: number[] = [];
    let finish: (() => void) | undefined;
    const done = runProcess(
      { log, graceMs: 60_000, signals, exit: (code) => void exits.push(code) },
      async (signal) => {
        await once(signal, 'abort');
        await new Promise<void>((resolve) => (finish = resolve));
      },
    );
    signals.emit('SIGTERM');
    expect(exits).toEqual([]);
    signals.emit('SIGINT');
    expect(exits).toEqual([EXIT_INTERRUPTED]);
    await new Promise(setImmediate);
    finish?.();
    await done;
    expect(process.exitCode).toBe(0);
  });

  it('sets exit code 1 when the work throws, and leaves no signal handler behind', async () => {
    const signals = new EventEmitter();
    await runProcess({ log, graceMs: 60_000, signals, exit: () => undefined }, () => Promise.reject(new Error('no')));
    expect(process.exitCode).toBe(1);
    expect(signals.listenerCount('SIGTERM') + signals.listenerCount('SIGINT')).toBe(0);
  });
});

describe('Loop', () => {
  it('continues after a failed pass, is woken by trigger, and can be stopped twice', async () => {
    let count = 0;
    const loop = new Loop({
      name: 'test',
      intervalMs: 3_600_000,
      log,
      pass: () => {
        count += 1;
        return count === 1 ? Promise.reject(new Error('first')) : Promise.resolve();
      },
    });
    const first = loop.passes();
    loop.start();
    loop.start();
    await first;
    await new Promise(setImmediate);
    const second = loop.passes();
    loop.trigger();
    await second;
    expect(count).toBe(2);
    await loop.stop();
    await loop.stop();
    expect(count).toBe(2);
  });
});
