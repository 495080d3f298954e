import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import { GraftError } from '../../../services/core/errors.ts';
import { LeaseNotHeldError, ReportRefusedError, TrainerIdTakenError } from '../../../services/core/trainer-errors.ts';
import type { LeasedTask, Stage } from '../../../services/core/task.ts';
import { checkpointUri } from '../../../services/core/checkpoint-uri.ts';
import { checkpointToProto } from '../../../services/platform/rpc/convert/checkpoint.ts';
import { durationToProto } from '../../../services/platform/rpc/convert/duration.ts';
import { taskEndToProto } from '../../../services/platform/rpc/convert/task-result.ts';
import { RECORD_CHECKS } from '../../fault/record-checks.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { fieldsOf, lieFor, methodNames, withLie } from './lies.ts';
import { outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

/** Fields that the coordinator assigns, or computes from other fields: their content has no effect. */
const NOT_READ = [
  /^trainer\.(state|heartbeat_time|refusal_count|drain_reason)$/,
  /^trainer\.slots\.(task_id|stage|bench_reason)$/,
  /^(checkpoint)\.(checkpoint_id|create_time|pinned)$/,
  /test_result\.(accuracy|accuracy_low|accuracy_high|roc_auc|macro_f1|balanced_accuracy|image_count|correct_count|confusion_matrix|class_results)/,
  /predictions\.run_id$/,
  /index\.dataset\.(create_time|sweep_id)$/,
  /manifest_damaged$/,
];
/** An honest trainer may send any value there. */
const ANY = [/^(epochs|rungs)$/, /outcomes\.early_stop$/, /problems$/, /error\.dataset_problems\.fatal$/];
/** Lies where the usual one would be no lie. */
const LIES: Readonly<Record<string, unknown>> = {
  'trainer.slots.slot_index': -7,
  'tasks.task_id': '\0',
  sequence: 0n,
  'index.dataset.class_counts.image_count': -7,
  'index.missing_weights': [
    { backbone: 'vgg16', weights: 'random', reason: 'resolved as well', elsewhere: false, temporary: false },
  ],
  'error.dataset_problems.path': 'p'.repeat(10_000),
  'error.dataset_problems.message': 'm'.repeat(10_000),
  'error.dataset_problems.count': -7,
  'trainer.version': 'nightly',
  wait_duration: durationToProto(-1),
  'epochs.names': ['loss', 'loss', 'cheat'],
  'epochs.values': [0.1],
  'evaluate.results.predictions.probabilities': [7, -6],
};

let harness: Harness;
let honest: SimulatedTrainer;
let liar: SimulatedTrainer;
const table: string[] = [];

beforeAll(async () => {
  harness = await startHarness();
  honest = await harness.trainer('honest');
  liar = await harness.trainer('liar');
});
afterAll(() => harness[Symbol.asyncDispose]());

async function leniency(): Promise<void> {
  await harness.query(
    `UPDATE trainers SET refusal_count = 0, drain_reason = NULL, state = 'READY' WHERE trainer_id = 'liar'`,
  );
}

async function refusalOf(call: Promise<unknown>): Promise<GraftError | null> {
  try {
    await call;
    return null;
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
}

async function metricsRefusal(request: Parameters<SimulatedTrainer['report']>[0][number]): Promise<GraftError | null> {
  const [answer] = await liar.report([request]);
  if (answer?.errorReason === 'REPORT_REFUSED')
    return new ReportRefusedError([{ field: '', description: answer.errorMessage }]);
  if (answer?.errorReason === 'LEASE_NOT_HELD') return new LeaseNotHeldError('', 0);
  return answer?.errorReason === ''
    ? null
    : await refusalOf(Promise.reject(new LeaseNotHeldError(answer?.errorReason ?? '', 0)));
}

type Send = (request: never) => Promise<unknown>;

/** Sends an honest request once per field, each time with a lie in that field. */
async function lieInEachField(method: string, request: object, send: Send, only = /./): Promise<void> {
  for (const field of fieldsOf(method).filter(({ path }) => only.test(path))) {
    const last = field.fields.at(-1);
    if (last === undefined) continue;
    const name = `${method} ${field.path}`;
    if (NOT_READ.some((rule) => rule.test(field.path))) {
      table.push(`${name}: not read`);
      continue;
    }
    if (ANY.some((rule) => rule.test(field.path))) {
      table.push(`${name}: any value`);
      continue;
    }
    const lie = Object.hasOwn(LIES, field.path) ? LIES[field.path] : lieFor(last);
    const sent = withLie(request, field, lie);
    if (sent === null) continue;
    await leniency();
    const refusal = await send(sent as never).then(
      (value) => (value instanceof GraftError ? value : null),
      (error: unknown) => {
        if (error instanceof GraftError) return error;
        throw error;
      },
    );
    expect(
      refusal,
      `${name} with ${JSON.stringify(lie, (_k, v: unknown) => (typeof v === 'bigint' ? String(v) : v))} is refused`,
    ).not.toBeNull();
    table.push(
      `${name}: ${refusal?.reason ?? ''}, ${(refusal?.message ?? '').split('\n').slice(-1)[0]?.trim().slice(0, 110) ?? ''}`,
    );
  }
  await leniency();
}

const resultLies = (task: LeasedTask, result: object, only: RegExp): Promise<void> =>
  lieInEachField(
    'CompleteTask',
    { ...liar.proof(task), result },
    (request) => harness.trainers.completeTask(request),
    only,
  );

/** Three lies in a row: the liar is drained, and the honest trainer gets the task. */
async function getDrained(task: LeasedTask): Promise<void> {
  for (const code of ['a', 'b', 'c']) await expect(liar.fail(task, { code })).rejects.toThrow(ReportRefusedError);
  const [row] = await harness.query(
    `SELECT state, refusal_count, drain_reason LIKE '3 of its reports were refused: error.code%' AS reported
       FROM trainers WHERE trainer_id = 'liar'`,
  );
  expect(row).toEqual({ state: 'DRAINING', refusal_count: 3, reported: true });
  expect(await liar.lease(0, 0)).toBeNull();
  // Late: the task belongs to others.
  await expect(liar.fail(task, {})).rejects.toMatchObject({ reason: 'LEASE_LOST' });
  // Twice: it was taken away, which is what a release asks for.
  await liar.release(task, 1);
}

describe('a trainer that lies', () => {
  it('in any field of any call is refused, drained at the third lie, and the record is that of a cluster without it', async () => {
    const spec = specOf({ base: { ...specOf().base, epochs: 3 } });
    const reference = await harness.submit(spec);
    await honest.workAll();
    // Of another size, so that there are features to compute; simulated curves don't depend on it.
    const sweepId = await harness.submit({ ...spec, base: { ...spec.base, image_size: 96 } });
    const { trainerSecret } = liar;
    const register = {
      trainer: trainerMessage(),
      trainerSecret,
      store: undefined,
      recipeVersion: RECIPE_VERSION,
      stages: [],
    };
    await lieInEachField('RegisterTrainer', register, (r) => harness.trainers.registerTrainer(r), /^(?!store)/);
    const want = {
      requestId: liar.newRequestId(),
      trainerId: 'liar',
      trainerSecret: liar.trainerSecret,
      slotIndex: 0,
      heldFeatureKeys: [],
      waitDuration: durationToProto(0),
    };
    await lieInEachField('LeaseTask', want, (r) => harness.trainers.leaseTask(r));
    for (const stage of ['INDEX', 'FEATURES', 'HEAD', 'EVALUATE'] as const) await lieAbout(stage);
    expect(await honest.workAll()).not.toContain('INDEX');
    for (const method of methodNames())
      expect(table.filter((line) => line.startsWith(`${method} `)).length, method).toBeGreaterThan(0);
    for (const { invariant, violations } of RECORD_CHECKS.filter(
      ({ invariant }) => !/no attempt is live|every task/.test(invariant),
    )) {
      const found = await harness.query(
        `WITH scope AS (SELECT $1::text AS reference, $2::text[] AS sweeps, $2::text[] AS "every") ${violations}`,
        [reference, [sweepId]],
      );
      expect(found, invariant).toEqual([]);
    }
    const [counts] = await harness.query('SELECT sum(failure_count)::int AS failures FROM tasks WHERE sweep_id = $1', [
      sweepId,
    ]);
    expect(counts).toEqual({ failures: 0 });
    process.stdout.write(`${table.length} fields\n${table.join('\n')}\n`);
  });

  it('about its identity acts for no other trainer, and no other one is drained for it', async () => {
    const other = await harness.submit(specOf({ seed: 9 }));
    const task = await honest.mustLease('INDEX');
    const { trainerSecret } = liar;
    const stolen = { ...honest.proof(task), leaseSecret: 'x'.repeat(43) };
    for (const proof of [stolen, { ...stolen, trainerId: 'liar' }, { ...honest.proof(task), trainerId: 'liar' }]) {
      await expect(harness.trainers.releaseTask({ ...proof, reason: 1 })).rejects.toThrow(LeaseNotHeldError);
      const result = taskEndToProto({
        kind: 'error',
        error: { errorClass: 'PERMANENT', code: 'BUG', message: '', datasetProblems: [] },
      });
      await expect(harness.trainers.completeTask({ ...proof, result })).rejects.toThrow(LeaseNotHeldError);
    }
    const beat = { trainerId: 'honest', trainerSecret, draining: true, tasks: [] };
    await expect(harness.trainers.heartbeat(beat)).rejects.toThrow(TrainerIdTakenError);
    await expect(
      harness.trainers.registerTrainer({
        trainer: { ...trainerMessage(), trainerId: 'honest' },
        trainerSecret,
        store: undefined,
        recipeVersion: 0,
        stages: [],
      }),
    ).rejects.toThrow(TrainerIdTakenError);
    expect(await harness.query(`SELECT state, refusal_count FROM trainers WHERE trainer_id = 'honest'`)).toEqual([
      { state: 'READY', refusal_count: 0 },
    ]);
    expect((await honest.heartbeat([task]))[0]?.command).toBe(0);
    await honest.work(task);
    await honest.workAll();
    expect(await harness.query('SELECT state FROM sweeps WHERE sweep_id = $1', [other])).toEqual([
      { state: 'SUCCEEDED' },
    ]);
  });
});

async function lieAbout(stage: Stage): Promise<void> {
  let task = await liar.lease(0, 5_000);
  // What comes before the stage is the honest trainer's.
  for (; task !== null && task.stage !== stage; task = await liar.lease(0, 5_000)) {
    await liar.release(task, 1);
    await honest.work(await honest.mustLease(task.stage));
  }
  if (task === null) throw new Error(`no ${stage} task`);
  const proof = liar.proof(task);
  if (stage === 'INDEX') {
    const progress = {
      taskId: task.taskId,
      leaseEpoch: task.leaseEpoch,
      leaseSecret: proof.leaseSecret,
      stepCount: 1n,
      stepLimit: 2n,
      detail: '',
    };
    const beat = { trainerId: 'liar', trainerSecret: liar.trainerSecret, draining: false, tasks: [progress] };
    await lieInEachField(
      'Heartbeat',
      beat,
      (r) => harness.trainers.heartbeat(r),
      /^(trainer|tasks\.(step|detail|task_id))/,
    );
    await lieInEachField('ReleaseTask', { ...proof, reason: 1 }, (r) => harness.trainers.releaseTask(r));
    await resultLies(
      task,
      taskEndToProto({
        kind: 'error',
        error: {
          errorClass: 'COUNTED',
          code: 'BUG',
          message: 'x',
          datasetProblems: [{ code: 'UNREADABLE', path: 'p', message: 'm', fatal: false }],
          missingFeatureKeys: ['f'.repeat(64)],
          damagedCheckpointIds: ['c1'],
        },
      }),
      /^(task_id|lease|trainer|error)/,
    );
  }
  if (stage === 'HEAD') {
    const run = task.runs[0];
    if (run === undefined) throw new Error('a head without runs');
    await lieInEachField('ReportMetrics', liar.batch(task, 1, 1), (r) => metricsRefusal(r));
    const uri = checkpointUri({ runId: run.runId, stage, epoch: 1, kind: 'BEST', leaseEpoch: task.leaseEpoch }, 0);
    const file = await harness.artifacts.write(uri, Buffer.from('checkpoint'));
    const checkpoint = checkpointToProto({
      ...file,
      checkpointId: '',
      runId: run.runId,
      stage,
      epoch: 1,
      kind: 'BEST',
      value: 0.5,
    });
    await lieInEachField('RegisterCheckpoint', { ...proof, checkpoint }, (r) => harness.trainers.registerCheckpoint(r));
    const outcomes = task.runs.map(({ runId }) => outcomeOf(runId, 3));
    await resultLies(
      task,
      taskEndToProto({ kind: 'result', result: { stage: 'TRAIN', outcomes } }),
      /^train\.(?!outcomes\.error)/,
    );
  } else {
    const end = { kind: 'result', result: liar.resultOf(task) } as const;
    await resultLies(task, taskEndToProto(end), new RegExp(`^${stage.toLowerCase()}`));
    if (stage === 'EVALUATE') {
      const part = { ...proof, result: taskEndToProto(end) };
      const send = async (request: never): Promise<void> => {
        for await (const answer of harness.trainers.completeTaskInParts(one(request))) expect(answer).toBeUndefined();
      };
      await lieInEachField('CompleteTaskInParts', { part }, send, /^part\.(task_id|lease|trainer|evaluate)/);
    }
  }
  await getDrained(task);
  await leniency();
  await honest.work(await honest.mustLease(stage));
}

async function* one<T>(item: T): AsyncGenerator<T> {
  yield await Promise.resolve(item);
}

function trainerMessage() {
  const slot = {
    slotIndex: 0,
    deviceKind: 'cpu',
    deviceName: 'simulated',
    memoryBytes: 0n,
    threadCount: 1,
    taskId: '',
    stage: 0 as const,
    benchReason: '',
  };
  const told = { state: '', heartbeatTime: undefined, refusalCount: 0, drainReason: '' };
  return { trainerId: 'liar', hostname: 'host', version: '0.1.0', engineVersion: '2.21.0', slots: [slot], ...told };
}
