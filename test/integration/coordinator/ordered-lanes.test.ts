import { expect, it } from 'vitest';
import { OrderedLanes } from '../../../services/coordinator/rpc/ordered-lanes.ts';

/** A promise and its end. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

it('keeps the order within a lane and lets lanes overtake each other', async () => {
  const lanes = new OrderedLanes<string>(10);
  const first = gate();
  await lanes.run('a', async () => {
    await first.opened;
    return 'a1';
  });
  await lanes.run('a', () => Promise.resolve('a2'));
  await lanes.run('b', () => Promise.resolve('b1'));
  lanes.end();
  const results = collect(lanes.results());
  await Promise.resolve();
  first.open();
  expect(await results).toEqual(['b1', 'a1', 'a2']);
});

it('takes nothing on beyond its bound until a result is taken', async () => {
  const lanes = new OrderedLanes<number>(2);
  await lanes.run('a', () => Promise.resolve(1));
  await lanes.run('b', () => Promise.resolve(2));
  let taken = false;
  const third = lanes.run('c', () => Promise.resolve(3)).then(() => (taken = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBe(false);
  const results = lanes.results();
  expect((await results.next()).value).toBe(1);
  await third;
  expect(taken).toBe(true);
});

it('gives what was done before a failure, and starts nothing after it', async () => {
  const lanes = new OrderedLanes<number>(10);
  let started = false;
  await lanes.run('a', () => Promise.resolve(1));
  await lanes.run('a', () => Promise.reject(new Error('broken')));
  await lanes.run('a', () => {
    started = true;
    return Promise.resolve(3);
  });
  const results = lanes.results();
  expect((await results.next()).value).toBe(1);
  await expect(results.next()).rejects.toThrow('broken');
  expect(started).toBe(false);
});
