import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../services/core/errors.ts';
import { datasetFromProto, datasetToProto } from '../../../services/platform/rpc/convert/dataset.ts';
import { durationFromProto, durationToProto } from '../../../services/platform/rpc/convert/duration.ts';
import { parametersFromProto, parametersToProto } from '../../../services/platform/rpc/convert/parameter.ts';
import { checkpointFromProto, checkpointToProto } from '../../../services/platform/rpc/convert/checkpoint.ts';
import { runStates, stages } from '../../../services/platform/rpc/convert/run.ts';
import { sweepSpecFromProto, sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { leasedTaskFromProto, leasedTaskToProto } from '../../../services/platform/rpc/convert/task.ts';
import { taskEndFromProto, taskEndToProto } from '../../../services/platform/rpc/convert/task-result.ts';
import { Dataset } from '../../../proto/gen/graft/v1/dataset.ts';
import { Checkpoint, RunState, Stage } from '../../../proto/gen/graft/v1/run.ts';
import { SweepSpec } from '../../../proto/gen/graft/v1/sweep.ts';
import { Task } from '../../../proto/gen/graft/v1/task.ts';
import { CompleteTaskRequest } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { checkpoint, dataset, leasedTask, parameters, sweepSpec, taskError, taskResult } from './arbitraries.ts';

interface Message<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  toJSON(message: T): unknown;
  fromJSON(json: unknown): T;
}

/** Encodes and decodes a message. */
function wired<T>(type: Message<T>, message: T): T {
  return type.decode(type.encode(message).finish());
}

/** Converts a message to JSON and back, as grpcurl does. */
function jsoned<T>(type: Message<T>, message: T): T {
  return type.fromJSON(JSON.parse(JSON.stringify(type.toJSON(message))));
}

describe('from the domain over the wire and back', () => {
  it('keeps sweep specs', () => {
    fc.assert(
      fc.property(sweepSpec, (spec) => {
        expect(sweepSpecFromProto(wired(SweepSpec, sweepSpecToProto(spec)))).toEqual({ spec, violations: [] });
      }),
    );
  });

  it('keeps leased tasks', () => {
    fc.assert(
      fc.property(leasedTask, (task) => {
        expect(leasedTaskFromProto(wired(Task, leasedTaskToProto(task)))).toEqual(task);
      }),
    );
  });

  it('keeps results and errors of tasks', () => {
    const end = fc.oneof(
      taskResult.map((result) => ({ kind: 'result' as const, result })),
      taskError.map((error) => ({ kind: 'error' as const, error })),
    );
    fc.assert(
      fc.property(end, (value) => {
        const request = { taskId: 't', leaseEpoch: 1, trainerId: '', leaseSecret: '', result: taskEndToProto(value) };
        expect(taskEndFromProto(wired(CompleteTaskRequest, request).result)).toEqual(value);
      }),
    );
  });

  it('cuts and cleans the reasons of missing weights, which contain messages of other programs', () => {
    const missing = {
      backbone: 'vgg16',
      weights: 'imagenet',
      reason: `\0${'x'.repeat(10_000)}`,
      elsewhere: true,
      temporary: false,
    };
    fc.assert(
      fc.property(dataset, (indexed) => {
        const result = {
          stage: 'INDEX',
          dataset: indexed,
          manifestUri: 'm',
          weights: [],
          missingWeights: [missing],
        } as const;
        const sent = taskEndToProto({ kind: 'result', result });
        const [kept] = sent.$case === 'index' ? sent.value.missingWeights : [];
        expect(kept).toMatchObject({ ...missing, reason: expect.stringMatching(/^\ufffdx+…$/) as string });
        expect(kept?.reason).toHaveLength(4_000);
      }),
      { numRuns: 1 },
    );
  });

  it('keeps checkpoints and data sets', () => {
    fc.assert(
      fc.property(checkpoint, dataset, (ref, indexed) => {
        expect(checkpointFromProto(wired(Checkpoint, checkpointToProto(ref)), 'checkpoint')).toEqual(ref);
        expect(datasetFromProto(wired(Dataset, datasetToProto(indexed)), 'dataset')).toEqual(indexed);
      }),
    );
  });

  it('keeps parameters: integers as int_value, others as number_value', () => {
    fc.assert(
      fc.property(parameters, (values) => {
        const messages = parametersToProto(values);
        expect(parametersFromProto(messages, 'parameters')).toEqual(values);
        for (const { name, value } of messages) {
          const original = values[name];
          if (typeof original !== 'number') continue;
          const isWhole = Number.isSafeInteger(original) && !Object.is(original, -0);
          expect(value?.kind?.$case).toBe(isWhole ? 'intValue' : 'numberValue');
        }
      }),
    );
  });

  it('keeps specs through JSON', () => {
    fc.assert(
      fc.property(sweepSpec, (spec) => {
        const message = jsoned(SweepSpec, sweepSpecToProto(spec));
        // JSON has no negative zero; the wire format does.
        expect(positiveZeros(sweepSpecFromProto(message).spec)).toEqual(positiveZeros(spec));
      }),
    );
  });

  it('keeps durations to the microsecond', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (ms) => {
        expect(durationFromProto(durationToProto(ms), -1)).toBeCloseTo(ms, 3);
      }),
    );
    expect(durationFromProto(undefined, 7)).toBe(7);
  });
});

describe('a message of a foreign client', () => {
  it('is read with defaults', () => {
    const { spec, violations } = sweepSpecFromProto(SweepSpec.fromPartial({ dataset: { path: '/d' } }));
    expect(violations).toEqual([]);
    expect(spec).toMatchObject({
      strategy: 'grid',
      maxRuns: null,
      objective: { metric: 'val_loss', goal: 'minimize' },
      testPolicy: 'winner',
    });
    const accuracy = SweepSpec.fromPartial({ objective: { metric: 'val_accuracy' } });
    expect(sweepSpecFromProto(accuracy).spec.objective).toEqual({ metric: 'val_accuracy', goal: 'maximize' });
  });

  it('gets all its structural mistakes listed by path', () => {
    const message = SweepSpec.fromPartial({
      base: [{ name: 'a' }, { name: 'b', value: { kind: { $case: 'boolValue', value: true } } }, { name: 'b' }],
      parameters: [
        { name: 'none' },
        { name: 'range', domain: { $case: 'range', value: { min: 1, max: 2, scale: 9 as never } } },
        { name: 'values', domain: { $case: 'values', value: { values: [{}] } }, conditions: [{ values: [{}] }] },
      ],
      strategy: 77 as never,
      seed: 2n ** 60n,
      objective: { metric: 'loss' },
      testPolicy: 78 as never,
    });
    expect(sweepSpecFromProto(message).violations.map(({ field }) => field)).toEqual([
      'base[0].value',
      'base[2].value',
      'base[2].name',
      'parameters[0]',
      'parameters[1].range.scale',
      'parameters[2].values[0]',
      'parameters[2].conditions[0].values[0]',
      'strategy',
      'seed',
      'objective.metric',
      'test_policy',
    ]);
  });

  it('is refused when a task or its result is inconsistent', () => {
    const task = leasedTaskToProto(fc.sample(leasedTask, { seed: 1, numRuns: 1 })[0] as never);
    expect(() => leasedTaskFromProto({ ...task, stage: Stage.UNSPECIFIED })).toThrow(/task\.stage.*received nothing/s);
    expect(() => leasedTaskFromProto({ ...task, stage: 99 as never })).toThrow(/number 99/);
    expect(() => leasedTaskFromProto({ ...task, datasetSource: undefined })).toThrow(/task\.dataset_source/);
    expect(() => leasedTaskFromProto({ ...task, objectiveMetric: 'f1' })).toThrow(/objective_metric.*'f1'/s);
    expect(() => taskEndFromProto(undefined)).toThrow(InvalidRequestError);
  });
});

describe('enums', () => {
  it('have the same names on both sides', () => {
    expect(stages.values.map((value) => stages.toProto(value))).toEqual([1, 2, 3, 4, 5, 7]);
    expect(runStates.values).toEqual(Object.keys(RunState).filter((name) => !name.startsWith('UN')));
    for (const value of runStates.values) expect(runStates.fromProto(runStates.toProto(value), 'state')).toBe(value);
    expect(runStates.tryFromProto(RunState.UNSPECIFIED)).toBeNull();
    expect(runStates.tryFromProto(RunState.UNRECOGNIZED)).toBeNull();
  });
});

function positiveZeros<T>(value: T): T {
  if (Object.is(value, -0)) return 0 as T;
  if (Array.isArray(value)) return value.map(positiveZeros) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, positiveZeros(item)])) as T;
}
