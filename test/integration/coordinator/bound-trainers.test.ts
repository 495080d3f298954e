import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PermissionDeniedError } from '../../../services/core/errors.ts';
import { TrainerIdTakenError } from '../../../services/core/trainer-errors.ts';
import { createAdminToken } from '../../../services/coordinator/create-admin-token.ts';
import type { TokenConfig } from '../../../services/platform/config/connection-settings.ts';
import { Secret } from '../../../services/platform/config/secret.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import type { Calls } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { taskEndToProto } from '../../../services/platform/rpc/convert/task-result.ts';
import type { ServiceShape } from '../../../services/platform/rpc/service-shape.ts';
import { clientSecurity } from '../../../services/platform/rpc/security/client-security.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TokenRole, TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { createGraftClient } from '../../../services/cli/client/grpc-client.ts';
import { runCli } from '../../../services/cli/cli.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { LeaseProof } from './simulated-trainer.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

type TrainerCalls = Calls<typeof TrainerServiceService>;

const log = createLogger('test', 'silent');
const closes: (() => void)[] = [];
let harness: Harness;
let adminSecret = '';

beforeAll(async () => {
  harness = await startHarness({ env: { GRAFT_COORDINATOR_TOKENS: 'on' } });
  adminSecret = await createAdminToken(harness.databaseUrl, 'first', log);
});
afterAll(async () => {
  for (const close of closes) close();
  await harness[Symbol.asyncDispose]();
});

function connect<D extends ServiceShape>(definition: D, secret: string): Calls<D> {
  const addresses = [harness.coordinator.address];
  const token: TokenConfig = { value: new Secret(secret) };
  const security = clientSecurity({ tls: null, token, isInsecureAllowed: false }, addresses, log);
  const client = createClient(definition, { addresses, retry: NO_RETRY, security });
  closes.push(() => client.close());
  return client.call;
}

async function makeToken(role: keyof typeof TokenRole, trainerIds: string[] = []): Promise<string> {
  const request = { name: role, role: TokenRole[role], expireTime: undefined, trainerIds };
  return (await connect(TokenServiceService, adminSecret).createToken(request)).secret;
}

async function trainerWith(secret: string, trainerId: string): Promise<SimulatedTrainer> {
  const trainer = new SimulatedTrainer(connect(TrainerServiceService, secret), harness.artifacts, trainerId);
  await trainer.register(1);
  return trainer;
}

async function submit(): Promise<string> {
  const sweeps = connect(SweepServiceService, adminSecret);
  const { sweep } = await sweeps.createSweep({ requestId: '', spec: sweepSpecToProto(specOf()) });
  return sweep?.sweepId ?? '';
}

async function graft(secret: string, ...args: readonly string[]) {
  const said = { out: '', err: '' };
  const code = await runCli(args, {
    env: { GRAFT_COORDINATOR: harness.coordinator.address, GRAFT_TOKEN: secret },
    cwd: tmpdir(),
    paths: { cacheDir: tmpdir(), stateDir: tmpdir() },
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
    signal: new AbortController().signal,
    signals: { onSecond: null },
    openClient: createGraftClient,
  });
  return { code, ...said };
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield await Promise.resolve(item);
}

/** Calls that a trainer can make, for a trainer and a lease that may be another's. */
const CALLS: Readonly<Record<keyof typeof TrainerServiceService, (as: TrainerCalls, proof: LeaseProof) => unknown>> = {
  registerTrainer: (as, { trainerId }) => new SimulatedTrainer(as, harness.artifacts, trainerId).register(1),
  leaseTask: (as, { trainerId }) => new SimulatedTrainer(as, harness.artifacts, trainerId).lease(),
  heartbeat: (as, { trainerId }) => new SimulatedTrainer(as, harness.artifacts, trainerId).heartbeat([], true),
  reportMetrics: async (as, proof) => {
    for await (const answer of as.reportMetrics(once({ ...proof, sequence: 1n, epochs: [], rungs: [] }))) return answer;
    return null;
  },
  registerCheckpoint: (as, proof) => as.registerCheckpoint({ ...proof, checkpoint: undefined }),
  completeTask: (as, proof) => as.completeTask({ ...proof, result: FAILURE }),
  completeTaskInParts: async (as, proof) => {
    for await (const answer of as.completeTaskInParts(once({ part: { ...proof, result: FAILURE } }))) return answer;
    return null;
  },
  releaseTask: (as, proof) => as.releaseTask({ ...proof, reason: 1 }),
};
const FAILURE = taskEndToProto({
  kind: 'error',
  error: { errorClass: 'PERMANENT', code: 'BUG', message: 'another says so', datasetProblems: [] },
});

describe('a token that is bound to trainers', () => {
  it('is enough for all that those trainers do', async () => {
    const token = await makeToken('TRAINER', ['bound-1', 'bound-2']);
    const [first, second] = [await trainerWith(token, 'bound-1'), await trainerWith(token, 'bound-2')];
    const sweepId = await submit();
    const index = await first.mustLease('INDEX');
    await first.heartbeat([index]);
    await first.work(index);
    expect(await second.workAll()).toEqual(['FEATURES', 'HEAD', 'EVALUATE']);
    expect(await harness.query('SELECT state FROM sweeps WHERE sweep_id = $1', [sweepId])).toEqual([
      { state: 'SUCCEEDED' },
    ]);
  });

  it('is refused in every call for another trainer, and nothing of it counts', async () => {
    const victim = await trainerWith(await makeToken('TRAINER'), 'victim');
    await submit();
    const task = await victim.mustLease('INDEX');
    const as = connect(TrainerServiceService, await makeToken('TRAINER', ['bound-3', 'bound-4']));
    const state = () =>
      harness.query(
        `SELECT t.state, t.lease_epoch, t.lease_expire_time, r.state AS trainer, r.heartbeat_time, r.refusal_count
           FROM tasks t JOIN trainers r USING (trainer_id) WHERE t.task_id = $1`,
        [task.taskId],
      );
    const before = await state();
    expect(Object.keys(CALLS).toSorted()).toEqual(Object.keys(TrainerServiceService).toSorted());
    // With the secrets of the victim, with none, and without a name, as trainers of an older version write.
    const proof = victim.proof(task);
    for (const stolen of [proof, { ...proof, leaseSecret: '' }, { ...proof, trainerId: 'victim-2' }]) {
      for (const [name, call] of Object.entries(CALLS)) {
        const error: unknown = await Promise.resolve(call(as, stolen)).catch((reason: unknown) => reason);
        expect(error, name).toBeInstanceOf(PermissionDeniedError);
        expect(String(error)).toContain(`for trainer '${stolen.trainerId}'`);
        expect(String(error)).toContain('TRAINER of bound-3, bound-4');
      }
    }
    const nameless = { ...proof, trainerId: '', leaseSecret: '' };
    for (const name of ['reportMetrics', 'registerCheckpoint', 'completeTask', 'releaseTask'] as const) {
      await expect(Promise.resolve(CALLS[name](as, nameless)), name).rejects.toThrow(PermissionDeniedError);
    }
    expect(await state()).toEqual(before);
    expect(await harness.query(`SELECT 1 FROM trainers WHERE trainer_id = 'victim-2'`)).toEqual([]);
    await victim.work(task);
    await victim.workAll();
  });

  it('is made by `graft token create --trainer-id`, only for the role trainer and for ids that trainers can have', async () => {
    const made = await graft(adminSecret, 'token', 'create', 'gpu', '--role', 'trainer', '--trainer-id', 'bound-5');
    expect(made.code).toBe(0);
    const token = made.out.trim();
    await trainerWith(token, 'bound-5');
    await expect(trainerWith(token, 'bound-6')).rejects.toThrow(PermissionDeniedError);
    const viewer = await graft(adminSecret, 'token', 'create', 'ana', '--role', 'viewer', '--trainer-id', 'bound-5');
    expect(viewer.code).not.toBe(0);
    expect(viewer.err).toContain('trainer_ids: are for the role TRAINER; received them with VIEWER.');
    await expect(makeToken('TRAINER', ['bound-5', 'no id'])).rejects.toMatchObject({
      violations: [{ field: 'trainer_ids[1]' }],
    });
  });
});

describe('graft trainers forget', () => {
  const trainerRow = async (trainerId: string) =>
    (
      await harness.query('SELECT state, refusal_count, drain_reason FROM trainers WHERE trainer_id = $1', [trainerId])
    )[0];

  /** A process that has the identity of another one, and a secret of its own. */
  class OtherProcess extends SimulatedTrainer {
    override get trainerSecret(): string {
      return 'x'.repeat(43);
    }
  }

  async function otherProcess(trainerId: string): Promise<OtherProcess> {
    return new OtherProcess(connect(TrainerServiceService, await makeToken('TRAINER')), harness.artifacts, trainerId);
  }

  it('is for administrators, is refused for a trainer that lives, and tells of one that is not there', async () => {
    await trainerWith(await makeToken('TRAINER'), 'alive');
    for (const role of ['VIEWER', 'SUBMITTER', 'TRAINER'] as const) {
      const denied = await graft(await makeToken(role), 'trainers', 'forget', 'alive');
      expect(denied).toMatchObject({ code: 6, out: '' });
      expect(denied.err).toContain('ForgetTrainer needs a token with the role ADMIN');
    }
    const refused = await graft(adminSecret, 'trainers', 'forget', 'alive');
    expect(refused.code).not.toBe(0);
    expect(refused.err).toMatch(/trainer alive: its state is READY/);
    await expect((await otherProcess('alive')).register(1)).rejects.toThrow(TrainerIdTakenError);
    expect((await graft(adminSecret, 'trainers', 'forget', 'nobody')).code).toBe(3);
  });

  it('lets another process have the id of a trainer that is lost; the one before is refused then', async () => {
    const before = await trainerWith(await makeToken('TRAINER'), 'lost');
    const after = await otherProcess('lost');
    await harness.query(`UPDATE trainers SET heartbeat_time = now() - interval '1 day' WHERE trainer_id = 'lost'`);
    await expect.poll(() => trainerRow('lost'), { timeout: 5_000 }).toMatchObject({ state: 'LOST' });
    await expect(after.register(1)).rejects.toThrow(/graft trainers forget lost/);
    expect(await graft(adminSecret, 'trainers', 'forget', 'lost')).toMatchObject({
      code: 0,
      out: expect.stringContaining('lost is forgotten') as string,
    });
    await after.register(1);
    expect(await trainerRow('lost')).toMatchObject({ state: 'READY' });
    await expect(before.register(1)).rejects.toThrow(TrainerIdTakenError);
    await expect(before.lease()).rejects.toThrow();
    await expect(before.heartbeat([])).rejects.toThrow();
    await submit();
    await after.work(await after.mustLease('INDEX'));
    await after.workAll();
  });

  it('lets a trainer work again that was drained for its refused reports', async () => {
    const trainer = await trainerWith(await makeToken('TRAINER'), 'drained');
    await submit();
    const task = await trainer.mustLease('INDEX');
    for (const code of ['a', 'b', 'c']) {
      await expect(trainer.fail(task, { code })).rejects.toMatchObject({ reason: 'REPORT_REFUSED' });
    }
    expect(await trainerRow('drained')).toMatchObject({ state: 'DRAINING', refusal_count: 3 });
    await trainer.register(1);
    expect(await trainer.lease()).toBeNull();
    expect((await graft(adminSecret, 'trainers', 'forget', 'drained')).code).toBe(0);
    expect(await trainerRow('drained')).toEqual({ state: 'LOST', refusal_count: 0, drain_reason: null });
    await trainer.register(1);
    expect(await trainerRow('drained')).toEqual({ state: 'READY', refusal_count: 0, drain_reason: null });
    await trainer.work(await trainer.mustLease('INDEX'));
    expect(await trainer.workAll()).toContain('EVALUATE');
  });
});
