import { describe, expect, it } from 'vitest';
import {
  DatabaseUnavailableError,
  IllegalStateError,
  InternalError,
  InvalidRequestError,
  LeaseLostError,
  ShuttingDownError,
  TrainerUnknownError,
} from '../../../../services/core/errors.ts';
import { RpcError } from '../../../../services/platform/rpc/errors.ts';
import { classifyFailure, untilAnswered } from '../../../../services/trainer/lease/patience.ts';

describe('classifyFailure', () => {
  it.each([
    [new LeaseLostError('t', 1), 'LOST'],
    [new IllegalStateError('task t', 'SUCCEEDED', 'complete', ['RUNNING']), 'LOST'],
    [new TrainerUnknownError('x'), 'REGISTER'],
    [new InvalidRequestError([]), 'REFUSED'],
    [new DatabaseUnavailableError('down'), 'RETRY'],
    [new ShuttingDownError(), 'RETRY'],
    [new InternalError('e1'), 'RETRY'],
    [new RpcError('UNAVAILABLE', ''), 'RETRY'],
    [new RpcError('DEADLINE_EXCEEDED', ''), 'RETRY'],
    [new RpcError('RESOURCE_EXHAUSTED', ''), 'REFUSED'],
    [new TypeError('ours'), 'REFUSED'],
  ] as const)('%s means %s', (error, failure) => {
    expect(classifyFailure(error)).toBe(failure);
  });
});

describe('untilAnswered', () => {
  const never = new AbortController().signal;

  it('registers when the trainer is unknown, retries, and returns the answer', async () => {
    const steps: string[] = [];
    const failures: Error[] = [new TrainerUnknownError('x'), new RpcError('UNAVAILABLE', '')];
    const answer = await untilAnswered(
      { signal: never, register: () => Promise.resolve(void steps.push('registered')) },
      () => {
        steps.push('called');
        const failure = failures.shift();
        return failure === undefined ? Promise.resolve(42) : Promise.reject(failure);
      },
    );
    expect(answer).toBe(42);
    expect(steps).toEqual(['called', 'registered', 'called', 'called']);
  });

  it('gives up at once on a lost lease', async () => {
    let calls = 0;
    const lost = untilAnswered({ signal: never, register: () => Promise.resolve() }, () => {
      calls += 1;
      return Promise.reject(new LeaseLostError('t', 1));
    });
    await expect(lost).rejects.toBeInstanceOf(LeaseLostError);
    expect(calls).toBe(1);
  });

  it('ends with its signal, even during a delay', async () => {
    const controller = new AbortController();
    const waiting = untilAnswered(
      {
        signal: controller.signal,
        register: () => Promise.resolve(),
        onRetry: () => controller.abort(new Error('the end')),
      },
      () => Promise.reject(new RpcError('UNAVAILABLE', '')),
    );
    await expect(waiting).rejects.toThrow();
  });
});
