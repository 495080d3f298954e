import { expect, it } from 'vitest';
import { BoundedAnswers } from '../../../services/coordinator/rpc/trainer-service/bounded-answers.ts';

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

it('begins work in order and gives the answers in the order in which they are there', async () => {
  const answers = new BoundedAnswers<string>(10);
  const first = gate();
  const begun: string[] = [];
  await answers.run(async () => {
    begun.push('first');
    await first.opened;
    return 'first';
  });
  await answers.run(() => {
    begun.push('second');
    return Promise.resolve('second');
  });
  answers.end();
  const results = collect(answers.results());
  await Promise.resolve();
  first.open();
  expect(await results).toEqual(['second', 'first']);
  expect(begun).toEqual(['first', 'second']);
});

it('takes nothing on beyond its bound until a result is taken', async () => {
  const answers = new BoundedAnswers<number>(2);
  await answers.run(() => Promise.resolve(1));
  await answers.run(() => Promise.resolve(2));
  let taken = false;
  const third = answers.run(() => Promise.resolve(3)).then(() => (taken = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBe(false);
  const results = answers.results();
  expect((await results.next()).value).toBe(1);
  await third;
  expect(taken).toBe(true);
});

it('gives what was done before a failure, and begins nothing after it', async () => {
  const answers = new BoundedAnswers<number>(10);
  await answers.run(() => Promise.resolve(1));
  await answers.run(() => Promise.reject(new Error('broken')));
  const results = answers.results();
  expect((await results.next()).value).toBe(1);
  await expect(results.next()).rejects.toThrow('broken');
  let started = false;
  await answers.run(() => {
    started = true;
    return Promise.resolve(3);
  });
  expect(started).toBe(false);
});
