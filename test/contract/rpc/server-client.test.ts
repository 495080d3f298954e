import { Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { InternalError, LeaseLostError, ShuttingDownError } from '../../../services/core/errors.ts';
import { NO_RETRY, parseAddresses } from '../../../services/platform/rpc/client.ts';
import { RpcError } from '../../../services/platform/rpc/errors.ts';
import type { Interceptor } from '../../../services/platform/rpc/call-context.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import {
  HEARTBEAT,
  cleanups,
  closedPort,
  deferred,
  endServices,
  startTrainerService,
  trainerClient,
} from './services.ts';

afterEach(endServices);

const LEASE_REQUEST = {
  requestId: 'q',
  trainerId: 't',
  trainerSecret: '',
  slotIndex: 0,
  heldFeatureKeys: [],
  waitDuration: undefined,
};

describe('unary calls', () => {
  it('carry requests, answers and typed errors', async () => {
    const { address } = await startTrainerService({
      heartbeat: async (request) => {
        if (request.trainerId === 'lost') throw new LeaseLostError('task-9', 3);
        if (request.trainerId === 'broken') throw new TypeError('secret detail');
        return await Promise.resolve({
          directives: [{ taskId: request.trainerId, leaseEpoch: 1, command: 0, stoppedRunIds: ['r'] }],
          drainReason: '',
        });
      },
    });
    const { call } = trainerClient([address]);
    const answer = await call.heartbeat(HEARTBEAT);
    expect(answer.directives[0]).toMatchObject({ taskId: 't1', stoppedRunIds: ['r'] });
    const lost = await call.heartbeat({ ...HEARTBEAT, trainerId: 'lost' }).catch((error: unknown) => error);
    expect(lost).toBeInstanceOf(LeaseLostError);
    expect(lost).toMatchObject({ taskId: 'task-9', leaseEpoch: 3 });
    const broken = await call.heartbeat({ ...HEARTBEAT, trainerId: 'broken' }).catch((error: unknown) => error);
    expect(broken).toBeInstanceOf(InternalError);
    expect(String(broken)).not.toContain('secret');
  });

  it('are retried at the next address while a coordinator is unavailable', async () => {
    const { address } = await startTrainerService({
      heartbeat: () => Promise.resolve({ directives: [], drainReason: '' }),
    });
    const { call } = trainerClient([await closedPort(), address]);
    await expect(call.heartbeat(HEARTBEAT)).resolves.toEqual({ directives: [], drainReason: '' });
  });

  it('are retried at the next address when a coordinator hangs, which later calls avoid too', async () => {
    let asked = 0;
    const hangs = await startTrainerService({
      heartbeat: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    });
    const works = await startTrainerService({ heartbeat: () => Promise.resolve({ directives: [], drainReason: '' }) });
    const { call } = trainerClient([hangs.address, works.address]);
    await expect(call.heartbeat(HEARTBEAT, { deadlineMs: 1_000 })).resolves.toEqual({
      directives: [],
      drainReason: '',
    });
    await call.heartbeat(HEARTBEAT);
    expect(asked).toBe(1);
    // A caller with its own retries gets the failure, and its next call goes to the other address.
    const patient = trainerClient([hangs.address, works.address]);
    const options = { retry: NO_RETRY, deadlineMs: 200 };
    await expect(patient.call.heartbeat(HEARTBEAT, options)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expect(patient.call.heartbeat(HEARTBEAT, options)).resolves.toEqual({ directives: [], drainReason: '' });
    expect(asked).toBe(2);
  });

  it('get their whole deadline when there is one address', async () => {
    const { address } = await startTrainerService({
      heartbeat: async () => {
        await new Promise((resolve) => setTimeout(resolve, 600));
        return { directives: [], drainReason: '' };
      },
    });
    const { call } = trainerClient([address]);
    await expect(call.heartbeat(HEARTBEAT, { deadlineMs: 1_000 })).resolves.toEqual({
      directives: [],
      drainReason: '',
    });
  });

  it('are retried after UNAVAILABLE but not after a lost lease', async () => {
    let unavailable = 0;
    let lost = 0;
    const { address } = await startTrainerService({
      heartbeat: () => {
        unavailable += 1;
        return unavailable < 3
          ? Promise.reject(new ShuttingDownError())
          : Promise.resolve({ directives: [], drainReason: '' });
      },
      releaseTask: () => {
        lost += 1;
        return Promise.reject(new LeaseLostError('t', 1));
      },
    });
    const { call } = trainerClient([address]);
    await call.heartbeat(HEARTBEAT);
    expect(unavailable).toBe(3);
    await expect(
      call.releaseTask({ taskId: 't', leaseEpoch: 1, trainerId: '', leaseSecret: '', reason: 1 }),
    ).rejects.toBeInstanceOf(LeaseLostError);
    expect(lost).toBe(1);
  });

  it('fail with UNAVAILABLE when no server listens', async () => {
    const { call } = trainerClient([await closedPort()]);
    const error = await call.heartbeat(HEARTBEAT, { retry: NO_RETRY }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('end at their deadline and notify the handler', async () => {
    const aborted = deferred<void>();
    const { address } = await startTrainerService({
      leaseTask: async (_request, { signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        aborted.resolve();
        return { task: undefined, leaseSecret: '' };
      },
    });
    const { call } = trainerClient([address]);
    const request = LEASE_REQUEST;
    await expect(call.leaseTask(request, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await aborted.promise;
  });

  it('are cancelled by a signal', async () => {
    const begun = deferred<void>();
    const { address } = await startTrainerService({
      leaseTask: async (_request, { signal }) => {
        begun.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        return { task: undefined, leaseSecret: '' };
      },
    });
    const { call } = trainerClient([address]);
    const request = LEASE_REQUEST;
    const controller = new AbortController();
    const answer = call.leaseTask(request, { signal: controller.signal });
    await begun.promise;
    controller.abort(new Error('enough'));
    await expect(answer).rejects.toThrow('enough');
  });

  it('pass the interceptors from the outermost to the innermost', async () => {
    const seen: string[] = [];
    const note =
      (name: string): Interceptor =>
      async (context, next) => {
        seen.push(`${name} in ${context.path}`);
        await next();
        seen.push(`${name} out`);
      };
    const { address } = await startTrainerService(
      { heartbeat: () => Promise.resolve({ directives: [], drainReason: '' }) },
      [note('outer'), note('inner')],
    );
    await trainerClient([address]).call.heartbeat(HEARTBEAT);
    expect(seen).toEqual([
      'outer in /graft.v1.TrainerService/Heartbeat',
      'inner in /graft.v1.TrainerService/Heartbeat',
      'inner out',
      'outer out',
    ]);
  });

  it('refuse a message above 4 MiB', async () => {
    const { address } = await startTrainerService({
      heartbeat: () => Promise.resolve({ directives: [], drainReason: '' }),
    });
    const answer = trainerClient([address]).call.heartbeat({ ...HEARTBEAT, trainerId: 'x'.repeat(5 * 1024 * 1024) });
    await expect(answer).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });
});

describe('drain', () => {
  it('notifies running calls, waits for them and refuses new ones', async () => {
    const begun = deferred<void>();
    const { server, address } = await startTrainerService({
      leaseTask: async (_request, { draining }) => {
        begun.resolve();
        await new Promise((resolve) => draining.addEventListener('abort', resolve, { once: true }));
        return { task: undefined, leaseSecret: '' };
      },
    });
    const { call } = trainerClient([address]);
    const request = LEASE_REQUEST;
    const answer = call.leaseTask(request);
    await begun.promise;
    await server.drain(5_000);
    await expect(answer).resolves.toEqual({ task: undefined, leaseSecret: '' });
    await expect(call.heartbeat(HEARTBEAT, { retry: NO_RETRY })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('aborts calls that do not end in time', async () => {
    const begun = deferred<AbortSignal>();
    const { server, address } = await startTrainerService({
      leaseTask: async (_request, { signal }) => {
        begun.resolve(signal);
        return await new Promise<never>((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
        );
      },
    });
    const request = LEASE_REQUEST;
    const answer = trainerClient([address]).call.leaseTask(request, { retry: NO_RETRY });
    const failed = expect(answer).rejects.toThrow();
    const signal = await begun.promise;
    await server.drain(50);
    expect(signal.aborted).toBe(true);
    await failed;
  });
});

describe('parseAddresses', () => {
  it('splits several addresses and refuses one without a port', () => {
    expect(parseAddresses('a:1, b:2,')).toEqual(['a:1', 'b:2']);
    expect(() => parseAddresses('a:1,b')).toThrow("received 'a:1,b'");
    expect(() => parseAddresses('')).toThrow('host:port');
  });
});

it('a client can read errors of a foreign server', async () => {
  const server = new GrpcServer();
  server.addService(TrainerServiceService, {
    heartbeat: (_call: unknown, reply: (error: object) => void) =>
      reply({ code: status.PERMISSION_DENIED, details: 'not for you' }),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  cleanups.push(() => server.forceShutdown());
  await expect(trainerClient([`127.0.0.1:${port}`]).call.heartbeat(HEARTBEAT)).rejects.toMatchObject({
    name: 'RpcError',
    code: 'PERMISSION_DENIED',
    details: 'not for you',
  });
});
