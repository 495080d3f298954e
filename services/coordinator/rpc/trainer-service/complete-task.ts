import { InvalidRequestError, RateLimitedError } from '../../../core/errors.ts';
import { checkTaskError } from '../../../core/reports/check-error.ts';
import { JoinedResult } from '../../../platform/rpc/convert/result-parts.ts';
import { taskEndFromProto } from '../../../platform/rpc/convert/task-result.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type {
  CompleteTaskInPartsRequest,
  CompleteTaskRequest,
  TrainerServiceService,
} from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { completeTask } from '../../store/complete/complete-task.ts';
import { callerOf } from '../authorisation/caller.ts';
import { confirmDamage } from './confirm-damage.ts';
import { findManifest } from '../../store/datasets/read-datasets.ts';
import type { LeaseClaim } from '../../store/tasks/fence.ts';
import { asReport, readClaim } from './read-claim.ts';
import type { RpcContext } from '../rpc-context.ts';
import { readTestLabels } from './test-labels.ts';

/** Memory of all parts of one result. A million predictions of two classes take about 280 MB. */
const MAX_RESULT_BYTES = 384 * 1024 * 1024;
/** Memory of all results that a token is sending in parts: as much as one result may take. */
const MAX_CALLER_BYTES = MAX_RESULT_BYTES;
const RETRY_MS = 5_000;

/** Returns the handlers of CompleteTask and CompleteTaskInParts. */
export function completeTaskHandlers(
  context: RpcContext,
): Pick<Handlers<typeof TrainerServiceService>, 'completeTask' | 'completeTaskInParts'> {
  const { store } = context;
  const held = new HeldBytes();
  return {
    completeTask: async (request, call) => {
      const claim = readClaim(request, call);
      await asReport(store, claim, () => complete(context, claim, request));
      return {};
    },
    completeTaskInParts: async (requests, call) => {
      const memory = held.of(callerOf(call));
      try {
        const request = await joinParts(requests, memory);
        const claim = readClaim(request, call, 'part.');
        await asReport(store, claim, () => complete(context, claim, request));
        return {};
      } finally {
        memory.release();
      }
    },
  };
}

async function complete(context: RpcContext, claim: LeaseClaim, { result }: CompleteTaskRequest): Promise<void> {
  const { store, artifacts, log } = context;
  const reported = taskEndFromProto(result);
  const violations = reported.kind === 'error' ? checkTaskError(reported.error, 'error') : [];
  if (violations.length > 0) throw new InvalidRequestError(violations);
  const end = await confirmDamage(context, reported);
  const isEvaluation = end.kind === 'result' && end.result.stage === 'EVALUATE';
  const manifestUri = isEvaluation ? await findManifest(store, claim.taskId) : null;
  const labels = manifestUri === null ? null : await readTestLabels(artifacts, manifestUri, log);
  await completeTask(store, claim, end, labels);
}

/** Counts the memory of results that are being received in parts, by caller. */
class HeldBytes {
  readonly #byCaller = new Map<string, number>();

  /** Returns the count for one result. Its `set` throws RateLimitedError when the caller holds too much. */
  of(caller: string): ResultMemory {
    let own = 0;
    const set = (bytes: number): void => {
      const all = (this.#byCaller.get(caller) ?? 0) - own + bytes;
      own = bytes;
      if (all > 0) this.#byCaller.set(caller, all);
      else this.#byCaller.delete(caller);
    };
    return {
      set: (bytes) => {
        set(bytes);
        if ((this.#byCaller.get(caller) ?? 0) <= MAX_CALLER_BYTES) return;
        const mib = MAX_CALLER_BYTES / 2 ** 20;
        throw new RateLimitedError(`The results that a token sends in parts may take ${mib} MiB at once.`, RETRY_MS);
      },
      release: () => set(0),
    };
  }
}

interface ResultMemory {
  set(bytes: number): void;
  release(): void;
}

async function joinParts(
  requests: AsyncIterable<CompleteTaskInPartsRequest>,
  memory: ResultMemory,
): Promise<CompleteTaskRequest> {
  const joined = new JoinedResult();
  let first: CompleteTaskRequest | null = null;
  for await (const { part } of requests) {
    if (part?.result === undefined) throw invalidPart('needs a result; received none.');
    first ??= part;
    const isSame = isOfLease(part, first) && joined.add(part.result);
    if (!isSame) {
      throw invalidPart(
        `must continue the result of task '${first.taskId}', lease ${first.leaseEpoch}; ` +
          `received ${part.result.$case} of task '${part.taskId}', lease ${part.leaseEpoch}.`,
      );
    }
    if (joined.bytes > MAX_RESULT_BYTES) {
      throw invalidPart(
        `is too large: the result has more than ${MAX_RESULT_BYTES / 2 ** 20} MiB. Set the test policy to 'winner', ` +
          'or use a smaller test split.',
      );
    }
    memory.set(joined.bytes);
  }
  if (first === null) throw invalidPart('is missing: nothing was sent.');
  return { ...first, result: joined.result };
}

function isOfLease(part: CompleteTaskRequest, first: CompleteTaskRequest): boolean {
  return (
    part.taskId === first.taskId &&
    part.leaseEpoch === first.leaseEpoch &&
    part.trainerId === first.trainerId &&
    part.leaseSecret === first.leaseSecret
  );
}

function invalidPart(description: string): InvalidRequestError {
  return new InvalidRequestError([{ field: 'part', description }]);
}
