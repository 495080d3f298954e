import { readFileSync } from 'node:fs';
import { toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { LIMIT_TABLE, requestLimits } from '../../../services/coordinator/rpc/limits/limit-table.ts';
import { InvalidRequestError } from '../../../services/core/errors.ts';
import { RequestLimits } from '../../../services/platform/rpc/limits/request-limits.ts';
import { PlanSweepRequest, ListSweepsRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { HeartbeatRequest, ReportMetricsRequest } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { GENERATED, instancesOf, registry } from '../../support/filled-messages.ts';

const limits = requestLimits();
const PLAN = '/graft.v1.SweepService/PlanSweep';

function refusal(path: string, bytes: Uint8Array): InvalidRequestError {
  try {
    limits.check(path, bytes);
  } catch (error) {
    if (error instanceof InvalidRequestError) return error;
    throw error;
  }
  throw new Error('the limits let it pass');
}

function planOf(spec: Parameters<typeof PlanSweepRequest.fromPartial>[0]['spec']): Uint8Array {
  return PlanSweepRequest.encode(PlanSweepRequest.fromPartial({ spec })).finish();
}

const methods = [...registry].flatMap((type) => (type.kind === 'service' ? type.methods : []));

it.each(methods.map((method) => [`/${method.parent.typeName}/${method.name}`, method] as const))(
  'lets a usual request of %s pass, and refuses every string and every integer of it that is out of range',
  (path, method) => {
    for (const { message } of instancesOf(method.input)) {
      const bytes = toBinary(method.input, message);
      limits.check(path, bytes);
      // "text 1" is the string field 1 of a message: a U+0000 in any of them is detected.
      const text = Buffer.from(bytes).indexOf('text ');
      if (text < 0) continue;
      const nul = Buffer.from(bytes);
      nul[text] = 0;
      expect(refusal(path, nul).violations[0]?.description).toContain('U+0000');
    }
  },
);

it('names the field, the length and the limit of a parameter name of 200 kB', () => {
  const { violations } = refusal(PLAN, planOf({ parameters: [{ name: 'x'.repeat(200_000) }] }));
  expect(violations).toEqual([
    { field: 'parameters[0].name', description: 'must have at most 200 bytes (UTF-8); received 200000.' },
  ]);
});

it.each([
  ['10,000 variants', { variants: Array.from({ length: 10_000 }, () => ({ parameters: [] })) }, 'variants'],
  ['5,000 dimensions', { parameters: Array.from({ length: 5_000 }, (_, i) => ({ name: `n${i}` })) }, 'parameters'],
  ['5,000 names of the base', { base: Array.from({ length: 5_000 }, (_, i) => ({ name: `n${i}` })) }, 'base'],
  ['a path of 3.5 MB', { dataset: { path: '/'.repeat(3_500_000) } }, ''],
  ['a path of 5 kB', { dataset: { path: '/'.repeat(5_000) } }, 'dataset.path'],
] as const)('refuses %s within milliseconds', (_what, spec, field) => {
  const bytes = planOf(spec);
  const begin = performance.now();
  const { violations } = refusal(PLAN, bytes);
  expect(performance.now() - begin).toBeLessThan(200);
  expect(violations.map((violation) => violation.field)).toEqual([field]);
});

it('counts messages over the whole request', () => {
  const parameters = Array.from({ length: 100 }, () => ({ name: 'epochs' }));
  const bytes = planOf({ variants: Array.from({ length: 999 }, () => ({ parameters })) });
  expect(refusal(PLAN, bytes).message).toMatch(/at most 20000 Parameter messages fit into a request; received 99900/);
});

it('lists 50 mistakes and counts the others', () => {
  const variants = Array.from({ length: 900 }, () => ({ parameters: [{ name: 'x'.repeat(300) }] }));
  const error = refusal(PLAN, planOf({ variants }));
  expect(error.violations).toHaveLength(50);
  expect(error.count).toBe(900);
  expect(error.message).toContain('… and 850 more');
});

it('refuses negative numbers, including those of other services and in lists of messages', () => {
  const page = ListSweepsRequest.encode(ListSweepsRequest.fromPartial({ pageSize: -1 })).finish();
  expect(refusal('/graft.v1.SweepService/ListSweeps', page).violations).toEqual([
    { field: 'page_size', description: 'must be 0 or above; received -1.' },
  ]);
  const epochs = [
    { runId: 'r', epoch: 1 },
    { runId: 'r', epoch: -3 },
  ];
  const metrics = ReportMetricsRequest.fromPartial({ taskId: 't', leaseEpoch: -1, sequence: -2n, epochs });
  const fields = refusal('/graft.v1.TrainerService/ReportMetrics', ReportMetricsRequest.encode(metrics).finish());
  expect(fields.violations.map(({ field }) => field)).toEqual(['lease_epoch', 'sequence', 'epochs[1].epoch']);
  const beat = HeartbeatRequest.fromPartial({ trainerId: 't', tasks: [{ taskId: 't', stepCount: 2n ** 60n }] });
  const tasks = refusal('/graft.v1.TrainerService/Heartbeat', HeartbeatRequest.encode(beat).finish());
  expect(tasks.violations[0]).toMatchObject({ field: 'tasks[0].step_count' });
  expect(tasks.message).toContain(String(2n ** 60n));
});

it('limits the length of bytes, which may be 0', () => {
  const bytesOf = (validationCorrect: Uint8Array, losses = 0): Uint8Array =>
    ReportMetricsRequest.encode(
      ReportMetricsRequest.fromPartial({
        rungs: [
          {
            runId: 'r',
            epoch: 1,
            validationCorrect: Buffer.from(validationCorrect),
            validationLosses: Array<number>(losses).fill(0.5),
          },
        ],
      }),
    ).finish();
  const method = '/graft.v1.TrainerService/ReportMetrics';
  expect(() => limits.check(method, bytesOf(new Uint8Array(128 * 1024), 20_000))).not.toThrow();
  expect(refusal(method, bytesOf(new Uint8Array(128 * 1024 + 1), 20_001)).violations).toEqual([
    { field: 'rungs[0].validation_correct', description: 'must have at most 131072 bytes; received 131073.' },
    { field: 'rungs[0].validation_losses', description: 'must have at most 20000 entries; received 20001.' },
  ]);
});

it.each([
  ['a field that ends behind its message', Buffer.from([0x0a, 0x7f, 0x00])],
  ['a number without an end', Buffer.from([0x10, ...Array<number>(11).fill(0xff)])],
  ['a group', Buffer.from([0x0b, 0x0c])],
])('answers %s as a mistake of the client', (_what, bytes) => {
  expect(refusal(PLAN, bytes).message).toMatch(/the bytes are no graft\.v1\.PlanSweepRequest/);
});

it('refuses a table that names unknown fields', () => {
  const descriptors = readFileSync(new URL('descriptor.binpb', GENERATED));
  const wrong = { ...LIMIT_TABLE, fields: { 'SweepSpec.nonsense': { bytes: 1 } } };
  expect(() => new RequestLimits(descriptors, 'graft.v1', wrong)).toThrow(/SweepSpec\.nonsense/);
});
