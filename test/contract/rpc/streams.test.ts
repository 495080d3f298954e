import { afterEach, describe, expect, it } from 'vitest';
import { LeaseLostError } from '../../../services/core/errors.ts';
import { NoAnswerError } from '../../../services/platform/rpc/errors.ts';
import {
  answerTo,
  batch,
  deferred,
  endServices,
  eventOf,
  never,
  startSweepService,
  startTrainerService,
  trainerClient,
} from './services.ts';

afterEach(endServices);

describe('streams', () => {
  it('go both ways, and responses continue after the requests have ended', async () => {
    const { address } = await startTrainerService({
      reportMetrics: async function* (requests) {
        const got: bigint[] = [];
        for await (const request of requests) {
          got.push(request.sequence);
          yield answerTo(request.sequence);
        }
        await new Promise((resolve) => setImmediate(resolve));
        for (const sequence of got) yield answerTo(sequence + 100n);
      },
    });
    async function* requests(): AsyncGenerator<ReturnType<typeof batch>> {
      for (let sequence = 1n; sequence <= 200n; sequence += 1n) yield await Promise.resolve(batch(sequence));
    }
    const got: bigint[] = [];
    for await (const response of trainerClient([address]).call.reportMetrics(requests())) got.push(response.sequence);
    expect(got).toHaveLength(400);
    expect(got.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, index) => BigInt(index + 1)));
    expect(got[399]).toBe(300n);
  });

  it('deliver the messages before a typed error', async () => {
    const { address } = await startTrainerService({
      reportMetrics: async function* () {
        yield await Promise.resolve(answerTo(1n));
        throw new LeaseLostError('t', 2);
      },
    });
    const got: bigint[] = [];
    const read = async (): Promise<void> => {
      for await (const response of trainerClient([address]).call.reportMetrics(never())) got.push(response.sequence);
    };
    await expect(read()).rejects.toBeInstanceOf(LeaseLostError);
    expect(got).toEqual([1n]);
  });

  it('that are closed for silence are reopened at the next address', async () => {
    const silent = await startTrainerService({
      reportMetrics: async function* () {
        await new Promise(() => undefined);
        yield answerTo(0n);
      },
    });
    let answered = 0;
    const works = await startTrainerService({
      reportMetrics: async function* () {
        answered += 1;
        yield await Promise.resolve(answerTo(7n));
      },
    });
    const { call } = trainerClient([silent.address, works.address]);
    const watchdog = new AbortController();
    const first = call.reportMetrics(never(), { signal: watchdog.signal })[Symbol.asyncIterator]().next();
    watchdog.abort(new NoAnswerError('nothing was heard'));
    await expect(first).rejects.toThrow('nothing was heard');
    for await (const answer of call.reportMetrics(never())) expect(answer.sequence).toBe(7n);
    expect(answered).toBe(1);
  });

  it('apply backpressure while the receiver does not read', async () => {
    let produced = 0;
    const { call } = await startSweepService(async function* () {
      for (;;) {
        produced += 1;
        yield await Promise.resolve(eventOf(produced, 'x'.repeat(16 * 1024)));
      }
    });
    const events = call.watchSweep({ sweepId: 's', cursor: 0n })[Symbol.asyncIterator]();
    await events.next();
    let before = -1;
    while (before !== produced) {
      before = produced;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(produced).toBeLessThan(100);
    await events.return?.();
  });

  it('notify the handler when the reader leaves early', async () => {
    const left = deferred<void>();
    const { call } = await startSweepService(async function* (_request, { signal }) {
      signal.addEventListener('abort', () => left.resolve(), { once: true });
      for (let cursor = 1; ; cursor += 1) {
        yield eventOf(cursor, '');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    for await (const event of call.watchSweep({ sweepId: 's', cursor: 0n })) {
      if (event.cursor === 3n) break;
    }
    await left.promise;
  });
});
