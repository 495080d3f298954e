import { afterAll, expect, it } from 'vitest';
import { RateLimitedError } from '../../../services/core/errors.ts';
import { WorkerPool } from '../../../services/platform/lifecycle/worker-pool.ts';
import type { TEST_JOBS } from './worker-pool-jobs.ts';

// The jobs of this test are not part of a build of the services.
delete process.env['GRAFT_COMPILED'];

const pool = new WorkerPool<typeof TEST_JOBS>({
  module: '../test/unit/platform/worker-pool-jobs',
  threadCount: 1,
  maxQueued: 2,
  maxPerCaller: 2,
  idleMs: 10_000,
  heapMib: 64,
});
afterAll(() => pool[Symbol.asyncDispose]());

it('replies while a job blocks its thread, and ends the job when its caller has disconnected', async () => {
  const controller = new AbortController();
  const endless = pool.run('loop', 0, { caller: 'a', signal: controller.signal });
  const next = pool.run('double', 21, { caller: 'b' });
  controller.abort(new Error('the deadline is over'));
  await expect(endless).rejects.toThrow('the deadline is over');
  expect(await next).toBe(42);
});

it('removes a queued job when its caller has disconnected', async () => {
  const running = new AbortController();
  const waiting = new AbortController();
  const first = pool.run('loop', 0, { caller: 'a', signal: running.signal });
  const second = pool.run('double', 1, { caller: 'a', signal: waiting.signal });
  waiting.abort(new Error('gone'));
  await expect(second).rejects.toThrow('gone');
  running.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
});

it('refuses jobs above the limits, per caller and in total, with a retry delay', async () => {
  const controller = new AbortController();
  const options = (caller: string) => ({ caller, signal: controller.signal });
  const taken = [pool.run('loop', 0, options('a')), pool.run('loop', 0, options('a'))];
  await expect(pool.run('double', 1, { caller: 'a' })).rejects.toThrow(RateLimitedError);
  taken.push(pool.run('loop', 0, options('b')));
  await expect(pool.run('double', 1, { caller: 'c' })).rejects.toThrow(/waiting already/);
  controller.abort(new Error('gone'));
  for (const job of taken) await expect(job).rejects.toThrow('gone');
  expect(await pool.run('double', 4, { caller: 'a' })).toBe(8);
});

it('fails only the job that throws or runs out of memory', async () => {
  await expect(pool.run('fail', 'broken', { caller: 'a' })).rejects.toThrow('broken');
  await expect(pool.run('fill', 0, { caller: 'a' })).rejects.toThrow(/memory/);
  expect(await pool.run('double', 3, { caller: 'a' })).toBe(6);
});
