import type { Readable } from 'node:stream';

/**
 * Reads a gRPC stream item by item, with backpressure. Node's own iterator would destroy a duplex stream when reading ends,
 * together with its writing half. Must be called as soon as the stream exists, or events are missed.
 *
 * @throws the stream's `error`, or the signal's reason.
 */
export function streamItems<T>(stream: Readable, signal?: AbortSignal): AsyncIterableIterator<T> {
  const items: T[] = [];
  let ended = false;
  let failure: Error | null = null;
  let wake: (() => void) | null = null;
  const notify = (): void => {
    wake?.();
    wake = null;
  };
  // A signal may outlive thousands of streams.
  const unsubscribe = (): void => signal?.removeEventListener('abort', notify);
  stream.on('data', (item: T) => {
    items.push(item);
    stream.pause();
    notify();
  });
  const end = (): void => {
    ended = true;
    unsubscribe();
    notify();
  };
  stream.on('end', end);
  stream.on('close', end);
  stream.on('error', (error) => {
    failure ??= error;
    unsubscribe();
    notify();
  });
  signal?.addEventListener('abort', notify, { once: true });

  async function next(): Promise<IteratorResult<T>> {
    for (;;) {
      if (signal?.aborted === true) throw signal.reason;
      const item = items.shift();
      if (item !== undefined) {
        return { done: false, value: item };
      }
      if (failure !== null) throw failure;
      if (ended) return { done: true, value: undefined };
      const woken = new Promise<void>((resolve) => (wake = resolve));
      stream.resume();
      await woken;
    }
  }

  return {
    next,
    return: () => {
      ended = true;
      unsubscribe();
      stream.pause();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
