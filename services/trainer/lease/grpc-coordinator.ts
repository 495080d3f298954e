import { leaseTimingFor, DEFAULT_LEASE_TIMING } from '../../core/lease.ts';
import type { StoreReport } from '../../core/store-owner.ts';
import type { CheckpointRef, LeasedTask } from '../../core/task.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import { createClient, NO_RETRY } from '../../platform/rpc/client.ts';
import type { RpcClient } from '../../platform/rpc/client.ts';
import type { ClientSecurity } from '../../platform/rpc/security/client-security.ts';
import { durationFromProto, durationToProto } from '../../platform/rpc/convert/duration.ts';
import { requireMessage } from '../../platform/rpc/convert/fields.ts';
import { checkpointFromProto, checkpointToProto, stages } from '../../platform/rpc/convert/run.ts';
import { leasedTaskFromProto } from '../../platform/rpc/convert/task.ts';
import { splitResult } from '../../platform/rpc/convert/result-parts.ts';
import { taskEndToProto } from '../../platform/rpc/convert/task-result.ts';
import {
  ReleaseReason as ProtoReleaseReason,
  TaskCommand as ProtoTaskCommand,
  TrainerServiceService,
} from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { ReportMetricsRequest, ReportMetricsResponse } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { upperCaseEnum } from '../../platform/rpc/convert/enum-codec.ts';
import { UnreadableTaskError } from './coordinator.ts';
import type {
  Coordinator,
  MetricAnswer,
  MetricBatch,
  Registered,
  ReleaseReason,
  SlotDescription,
  TaskCommand,
  TaskDirective,
  TaskEnd,
  TaskLease,
  TaskProgress,
  TrainerDescription,
  WantedTask,
} from './coordinator.ts';

const COMMANDS = upperCaseEnum<TaskCommand, typeof ProtoTaskCommand>(ProtoTaskCommand);
const RELEASE_REASONS = upperCaseEnum<ReleaseReason, typeof ProtoReleaseReason>(ProtoReleaseReason);
const REFUSALS = ['LEASE_LOST', 'SEQUENCE_GAP', 'METRIC_CONFLICT'] as const;
/** A long poll's answer may need a moment beyond its wait. */
const LEASE_MARGIN_MS = 10_000;
/** A result with the predictions of a large test split is stored in one transaction. */
const COMPLETE_DEADLINE_MS = 30_000;
/** More for each further part of it. */
const PART_DEADLINE_MS = 1_000;

/**
 * The coordinator over gRPC. Calls are not tried again here: each caller has its own patience and tells an answer that
 * never came from one that says no.
 */
export class GrpcCoordinator implements Coordinator {
  readonly #trainerId: string;
  readonly #client: RpcClient<typeof TrainerServiceService>;

  /** @param security neither TLS nor token if not given. */
  constructor(addresses: readonly string[], trainerId: string, security?: ClientSecurity) {
    this.#trainerId = trainerId;
    this.#client = createClient(TrainerServiceService, { addresses, retry: NO_RETRY, ...(security && { security }) });
  }

  async register(trainer: TrainerDescription, store: StoreReport): Promise<Registered> {
    const response = await this.#client.call.registerTrainer({
      store,
      trainer: {
        trainerId: trainer.trainerId,
        hostname: trainer.hostname,
        version: trainer.version,
        engineVersion: trainer.engineVersion,
        state: 'READY',
        slots: trainer.slots.map(slotToProto),
        heartbeatTime: undefined,
      },
    });
    const leaseMs = durationFromProto(response.leaseDuration, DEFAULT_LEASE_TIMING.leaseMs);
    const timing = leaseTimingFor(leaseMs);
    const heartbeatMs = durationFromProto(response.heartbeatInterval, timing.heartbeatMs);
    return { ...timing, heartbeatMs, clusterId: response.clusterId, benchReason: response.benchReason };
  }

  async leaseTask(wanted: WantedTask, signal: AbortSignal): Promise<LeasedTask | null> {
    const { task } = await this.#client.call.leaseTask(
      {
        requestId: wanted.requestId,
        trainerId: this.#trainerId,
        slotIndex: wanted.slotIndex,
        heldFeatureKeys: [...wanted.heldFeatureKeys],
        waitDuration: durationToProto(wanted.waitMs),
      },
      { signal, deadlineMs: wanted.waitMs + LEASE_MARGIN_MS },
    );
    if (task === undefined) return null;
    try {
      return leasedTaskFromProto(task);
    } catch (error) {
      throw new UnreadableTaskError({ taskId: task.taskId, leaseEpoch: task.leaseEpoch }, error);
    }
  }

  async heartbeat(
    tasks: readonly TaskProgress[],
    draining: boolean,
    deadlineMs: number,
  ): Promise<readonly TaskDirective[]> {
    const request = { trainerId: this.#trainerId, tasks: tasks.map(progressToProto), draining };
    const { directives } = await this.#client.call.heartbeat(request, { deadlineMs });
    return directives.map(({ taskId, leaseEpoch, command, stoppedRunIds }) => ({
      taskId,
      leaseEpoch,
      command: COMMANDS.tryFromProto(command),
      stoppedRunIds,
    }));
  }

  async registerCheckpoint(lease: TaskLease, checkpoint: CheckpointRef, signal: AbortSignal): Promise<CheckpointRef> {
    const { taskId, leaseEpoch } = lease;
    const response = await this.#client.call.registerCheckpoint(
      { taskId, leaseEpoch, checkpoint: checkpointToProto(checkpoint) },
      { signal },
    );
    return checkpointFromProto(requireMessage(response.checkpoint, 'checkpoint'), 'checkpoint');
  }

  async completeTask(lease: TaskLease, end: TaskEnd, signal: AbortSignal): Promise<void> {
    const { taskId, leaseEpoch } = lease;
    const parts = splitResult(taskEndToProto(end)).map((result) => ({ taskId, leaseEpoch, result }));
    const [only, ...others] = parts;
    const options = { signal, deadlineMs: COMPLETE_DEADLINE_MS + others.length * PART_DEADLINE_MS };
    if (only !== undefined && others.length === 0) {
      await this.#client.call.completeTask(only, options);
      return;
    }
    const stream = this.#client.call.completeTaskInParts(each(parts.map((part) => ({ part }))), options);
    const answers: unknown[] = [];
    // One comes, when all of it is stored.
    for await (const answer of stream) answers.push(answer);
    if (answers.length === 0) throw new Error(`No answer to the result of task ${taskId}.`);
  }

  async releaseTask(lease: TaskLease, reason: ReleaseReason, signal: AbortSignal): Promise<void> {
    const { taskId, leaseEpoch } = lease;
    await this.#client.call.releaseTask({ taskId, leaseEpoch, reason: RELEASE_REASONS.toProto(reason) }, { signal });
  }

  async *reportMetrics(batches: AsyncIterable<MetricBatch>, signal: AbortSignal): AsyncGenerator<MetricAnswer> {
    for await (const answer of this.#client.call.reportMetrics(batchesToProto(batches), { signal })) {
      yield answerFromProto(answer);
    }
  }

  close(): void {
    this.#client.close();
  }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

function slotToProto(slot: SlotDescription) {
  return {
    slotIndex: slot.slotIndex,
    deviceKind: slot.deviceKind,
    deviceName: slot.deviceName,
    memoryBytes: BigInt(Math.round(slot.memoryBytes)),
    threadCount: slot.threadCount,
    taskId: '',
    stage: 0 as const,
    benchReason: '',
  };
}

function progressToProto(progress: TaskProgress) {
  return {
    taskId: progress.taskId,
    leaseEpoch: progress.leaseEpoch,
    stepCount: BigInt(Math.round(progress.stepCount)),
    stepLimit: BigInt(Math.round(progress.stepLimit)),
    detail: progress.detail,
  };
}

async function* batchesToProto(batches: AsyncIterable<MetricBatch>): AsyncGenerator<ReportMetricsRequest> {
  for await (const { taskId, leaseEpoch, sequence, epochs } of batches) {
    yield {
      taskId,
      leaseEpoch,
      sequence: BigInt(sequence),
      epochs: epochs.map(({ runId, stage, epoch, values }) => ({
        runId,
        stage: stages.toProto(stage),
        epoch,
        names: Object.keys(values),
        values: Object.values(values),
      })),
    };
    // The next one is asked for when this one is on its way.
    failpoint('metrics.sent');
  }
}

function answerFromProto(response: ReportMetricsResponse): MetricAnswer {
  return {
    taskId: response.taskId,
    leaseEpoch: response.leaseEpoch,
    sequence: Number(response.sequence),
    refusal: refusalOf(response.errorReason),
    expectedSequence: Number(response.expectedSequence),
    stoppedRunIds: response.stoppedRunIds,
  };
}

function refusalOf(reason: string): MetricAnswer['refusal'] {
  if (reason === '') return null;
  // A reason this version does not know must never be taken for "durable".
  return REFUSALS.find((refusal) => refusal === reason) ?? 'METRIC_CONFLICT';
}
