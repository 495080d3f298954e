import { RequestIdReusedError } from '../../../core/errors.ts';
import { indexTaskIdOf } from '../../../core/ids.ts';
import { DEFAULT_PRIORITY } from '../../../core/sweep/search-spec.ts';
import type { Prisma } from '../../../../prisma/client/client.ts';
import { encodePayload } from '../events/event.ts';
import type { SweepRecord } from '../../../core/records/sweep.ts';
import type { Store } from '../store.ts';
import type { SweepDraft } from './draft-sweep.ts';
import { INSERT_RUNS, INTEGER_NAMES } from './insert-runs.ts';
import { INSERT_SUGGESTIONS } from './insert-suggestions.ts';
import { findSweep } from './find-sweep.ts';

export interface CreatedSweep {
  readonly sweep: SweepRecord;
  readonly duplicateCount: number;
  /** Number of runs that `max_runs` requests and the search space lacks. */
  readonly missingCount: number;
  /** Notes on properties of the runs that are unexpected from the spec. */
  readonly notes: readonly string[];
}

/**
 * Inserts a sweep with its runs and its INDEX task in one transaction. Idempotent by request id: the same spec returns the existing
 * sweep.
 *
 * @throws RequestIdReusedError for another spec
 */
export async function createSweep(
  store: Store,
  draft: SweepDraft,
  traceparent: string | null = null,
): Promise<CreatedSweep> {
  const { sweepId, requestId, specDigest, duplicateCount, missingCount, notes } = draft;
  const report = { duplicateCount, missingCount, notes };
  const known = await findByRequest(store, requestId, specDigest);
  if (known !== null) return { sweep: await findSweep(store, known), ...report };
  try {
    await insertSweep(store, draft, traceparent);
  } catch (error) {
    const winner = isUniqueViolation(error) ? await findByRequest(store, requestId, specDigest) : null;
    if (winner === null) throw error;
    return { sweep: await findSweep(store, winner), ...report };
  }
  return { sweep: await findSweep(store, sweepId), ...report };
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

/**
 * Inserts in one transaction, statement by statement: Prisma's engine processes a batch in one piece, which blocked the event loop for 3 s
 * with 10,000 runs. Runs are inserted by constant statements: `createMany` of 10,000 runs takes most of a minute.
 */
async function insertSweep(store: Store, draft: SweepDraft, traceparent: string | null): Promise<void> {
  const { sweepId, requestId, spec, specDigest } = draft;
  const event = { kind: 'SWEEP_STATE', state: 'ACTIVE', reason: '' } as const;
  await store.prisma.$transaction(async (tx) => {
    await tx.sweep.create({
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
        varied: [...draft.variedNames],
        traceparent,
        priority: spec.priority ?? DEFAULT_PRIORITY,
        maxParallelSlots: spec.maxParallelSlots ?? null,
        ...(spec.budget === undefined ? {} : { budget: spec.budget as unknown as Prisma.InputJsonObject }),
      },
    });
    for (const rows of draft.shares) await tx.$executeRawUnsafe(INSERT_RUNS, sweepId, rows, INTEGER_NAMES);
    if (draft.firstRound !== null) {
      await tx.$executeRawUnsafe(INSERT_SUGGESTIONS, sweepId, 0, null, draft.firstRound);
    }
    await tx.task.create({
      data: {
        taskId: indexTaskIdOf(sweepId),
        sweepId,
        stage: 'INDEX',
        state: 'READY',
        position: 0,
        description: `list and check the images of ${spec.dataset.path}`,
      },
    });
    // No other transaction sees this sweep before the commit, so its first event needs no lock.
    await tx.event.create({
      data: { sweepId, kind: event.kind, payload: JSON.parse(encodePayload(event)) as Prisma.InputJsonObject },
    });
    if (store.isMirrored) await tx.outboxEntry.create({ data: { sweepId, kind: 'SWEEP' } });
  });
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'P2002';
}
