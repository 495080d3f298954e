import { RequestIdReusedError } from '../../../core/errors.ts';
import { indexTaskIdOf } from '../../../core/ids.ts';
import { DEFAULT_PRIORITY } from '../../../core/sweep/search-spec.ts';
import { PARAMETER_DEFINITIONS } from '../../../core/search-space/parameter-definitions.ts';
import type { Prisma } from '../../../../prisma/client/client.ts';
import { encodePayload } from '../events/event.ts';
import type { SweepRecord } from '../../../core/records/sweep.ts';
import type { Store } from '../store.ts';
import type { SweepDraft } from './draft-sweep.ts';
import { findSweep } from './find-sweep.ts';

/** Names of the integer parameters, as a JSON array. */
const INTEGER_NAMES = JSON.stringify(
  PARAMETER_DEFINITIONS.filter(({ type }) => type === 'int').map(({ name }) => name),
);

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
    for (const rows of draft.shares) await insertRuns(tx, sweepId, rows);
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

/**
 * Inserts runs, and their parameters for SQL views: one row each, typed by their definitions, with the defaults that `runs.parameters`
 * omits. A view of a varied parameter would lack the runs at its default without them.
 *
 * @param rows a JSON array
 */
function insertRuns(tx: Prisma.TransactionClient, sweepId: string, rows: string): Prisma.PrismaPromise<number> {
  return tx.$executeRaw`
    WITH sampled AS (
      SELECT * FROM jsonb_to_recordset(${rows}::jsonb)
           AS r (run_id text, run_index int, digest text, parameters jsonb, omitted jsonb)
    ), inserted AS (
      INSERT INTO runs (run_id, sweep_id, run_index, parameters_digest, parameters, state, stage)
      SELECT r.run_id, ${sweepId}, r.run_index, r.digest, r.parameters, 'QUEUED', 'INDEX' FROM sampled r
    )
    INSERT INTO run_parameters (run_id, name, int_value, number_value, bool_value, string_value)
    SELECT r.run_id, p.name,
           CASE WHEN p.type = 'number' AND p.is_integer THEN p.text::bigint END,
           CASE WHEN p.type = 'number' AND NOT p.is_integer THEN p.text::float8 END,
           CASE WHEN p.type = 'boolean' THEN p.text::boolean END,
           CASE WHEN p.type = 'string' THEN p.text END
      FROM sampled r
     CROSS JOIN LATERAL (
       SELECT e.key AS name, e.value #>> '{}' AS text, jsonb_typeof(e.value) AS type,
              ${INTEGER_NAMES}::jsonb ? e.key AS is_integer
         FROM jsonb_each(r.parameters || r.omitted) e
     ) p`;
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'P2002';
}
