import { RequestIdReusedError } from '../../../core/errors.ts';
import { digestOf } from '../../../core/digest.ts';
import type { JsonValue } from '../../../core/digest.ts';
import { indexTaskIdOf, runIdOf } from '../../../core/ids.ts';
import { sampleRuns, variedNames } from '../../../core/samplers/sample-runs.ts';
import { findDefinition } from '../../../core/search-space/parameter-definitions.ts';
import type { SampledRun } from '../../../core/samplers/sample-runs.ts';
import type { ParameterValue, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { Prisma } from '../../../../prisma/client/client.ts';
import { encodePayload } from '../events/event.ts';
import type { SweepRecord } from '../records.ts';
import type { Store } from '../store.ts';
import { findSweep } from './find-sweep.ts';

export interface NewSweep {
  readonly sweepId: string;
  /** Empty: never the same. */
  readonly requestId: string;
  /** Without violations. */
  readonly spec: SweepSpec;
}

export interface CreatedSweep {
  readonly sweep: SweepRecord;
  readonly duplicateCount: number;
}

/**
 * Inserts a sweep with its runs and its INDEX task in one transaction. Idempotent by request id: the same spec gives the
 * sweep that is there.
 *
 * @throws RequestIdReusedError for another spec; InvalidRequestError for parameters that don't exist.
 */
export async function createSweep(store: Store, { sweepId, requestId, spec }: NewSweep): Promise<CreatedSweep> {
  const specDigest = digestOf(spec as unknown as JsonValue);
  const { runs, duplicateCount } = sampleRuns(spec);
  const known = await findByRequest(store, requestId, specDigest);
  if (known !== null) return { sweep: await findSweep(store, known), duplicateCount };
  try {
    await insertSweep(store, { sweepId, requestId, spec }, specDigest, runs);
  } catch (error) {
    const winner = isUniqueViolation(error) ? await findByRequest(store, requestId, specDigest) : null;
    if (winner === null) throw error;
    return { sweep: await findSweep(store, winner), duplicateCount };
  }
  return { sweep: await findSweep(store, sweepId), duplicateCount };
}

async function findByRequest(store: Store, requestId: string, specDigest: string): Promise<string | null> {
  if (requestId === '') return null;
  const known = await store.prisma.sweep.findUnique({
    where: { requestId },
    select: { sweepId: true, specDigest: true },
  });
  if (known === null) return null;
  if (known.specDigest !== specDigest) throw new RequestIdReusedError(requestId);
  return known.sweepId;
}

async function insertSweep(
  store: Store,
  { sweepId, requestId, spec }: NewSweep,
  specDigest: string,
  runs: readonly SampledRun[],
): Promise<void> {
  const { prisma } = store;
  const event = { kind: 'SWEEP_STATE', state: 'ACTIVE', reason: '' } as const;
  await prisma.$transaction([
    prisma.sweep.create({
      data: {
        sweepId,
        requestId: requestId === '' ? null : requestId,
        specDigest,
        displayName: spec.displayName,
        spec: spec as unknown as Prisma.InputJsonObject,
        state: 'ACTIVE',
        objectiveName: spec.objective.metric,
        objectiveGoal: spec.objective.goal,
        testPolicy: spec.testPolicy,
        varied: variedNames(runs),
      },
    }),
    prisma.run.createMany({ data: runs.map((run) => runRow(sweepId, run)) }),
    prisma.runParameter.createMany({ data: runs.flatMap((run) => parameterRows(sweepId, run)) }),
    prisma.task.create({
      data: {
        taskId: indexTaskIdOf(sweepId),
        sweepId,
        stage: 'INDEX',
        state: 'READY',
        position: 0,
        description: `list and check the images of ${spec.dataset.path}`,
      },
    }),
    // Nobody can see this sweep before the commit, so its first event needs no lock.
    prisma.event.create({
      data: { sweepId, kind: event.kind, payload: JSON.parse(encodePayload(event)) as Prisma.InputJsonObject },
    }),
  ]);
}

function runRow(sweepId: string, run: SampledRun): Prisma.RunCreateManyInput {
  return {
    runId: runIdOf(sweepId, run.index),
    sweepId,
    runIndex: run.index,
    parametersDigest: run.digest,
    parameters: run.parameters,
    state: 'QUEUED',
    stage: 'INDEX',
  };
}

function parameterRows(sweepId: string, run: SampledRun): Prisma.RunParameterCreateManyInput[] {
  return Object.entries(run.parameters).map(([name, value]) => ({
    runId: runIdOf(sweepId, run.index),
    name,
    ...typedValue(name, value),
  }));
}

function typedValue(
  name: string,
  value: ParameterValue,
): Pick<Prisma.RunParameterCreateManyInput, 'numberValue' | 'intValue' | 'boolValue' | 'stringValue'> {
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'string') return { stringValue: value };
  return findDefinition(name)?.type === 'int' ? { intValue: BigInt(value) } : { numberValue: value };
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'P2002';
}
