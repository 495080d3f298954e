import { leaseTimingFor, DEFAULT_LEASE_TIMING } from '../../core/lease.ts';
import { MAX_DETAIL } from '../../core/reports/check-progress.ts';
import { RECIPE_VERSION } from '../../core/recipe-version.ts';
import { cleanText } from '../../core/reports/text-rules.ts';
import type { StoreReport } from '../../core/store-owner.ts';
import { STAGES } from '../../core/task.ts';
import type { CheckpointRef, LeasedTask } from '../../core/task.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import { createClient, NO_RETRY } from '../../platform/rpc/client.ts';
import type { RpcClient } from '../../platform/rpc/client.ts';
import type { ClientSecurity } from '../../platform/rpc/security/client-security.ts';
import { durationFromProto, durationToProto } from '../../platform/rpc/convert/duration.ts';
import { requireMessage } from '../../platform/rpc/convert/fields.ts';
import { checkpointFromProto, checkpointToProto } from '../../platform/rpc/convert/checkpoint.ts';
import { rungReportToProto } from '../../platform/rpc/convert/rung-report.ts';
import { stages } from '../../platform/rpc/convert/run.ts';
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
import { UnreadableTaskError } from './coordinator-port.ts';
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
} from './coordinator-port.ts';

const COMMANDS = upperCaseEnum<TaskCommand, typeof ProtoTaskCommand>(ProtoTaskCommand);
const RELEASE_REASONS = upperCaseEnum<ReleaseReason, typeof ProtoReleaseReason>(ProtoReleaseReason);
const REFUSALS = ['LEASE_LOST', 'LEASE_NOT_HELD', 'SEQUENCE_GAP', 'METRIC_CONFLICT', 'REPORT_REFUSED'] as const;
/** Time that the answer of a long poll may take beyond its wait. */
const LEASE_MARGIN_MS = 10_000;
/** A result with the predictions of a large test split is stored in one transaction. */
const COMPLETE_DEADLINE_MS = 30_000;
/** Additional time for each further part of a result. */
const PART_DEADLINE_MS = 1_000;

/** The credentials of a trainer. */
export interface TrainerCredentials {
  readonly trainerId: string;
  readonly trainerSecret: string;
}

/** The proof of a lease, which every write carries. */
interface HolderProof {
  readonly trainerId: string;
  readonly leaseSecret: string;
}

/**
 * The coordinator over gRPC. Only this class knows the secrets of trainer and leases, so they are in no log, journal or worker.
 * Calls are not retried here: each caller decides by the failure (`patience.ts`).
 */
export class GrpcCoordinator implements Coordinator {
  readonly #trainerId: string;
  readonly #trainerSecret: string;
  readonly #client: RpcClient<typeof TrainerServiceService>;
  readonly #onDrained: (reason: string) => void;
  /** Leases by slot: a slot has one at a time. */
  readonly #leases = new Map<number, TaskLease & { readonly leaseSecret: string }>();
  #drainReason = '';

  /**
   * @param security default: neither TLS nor token.
   * @param onDrained called with the reason when the coordinator stops giving work to the trainer.
   */
  constructor(
    addresses: readonly string[],
    { trainerId, trainerSecret }: TrainerCredentials,
    security?: ClientSecurity,
    onDrained: (reason: string) => void = () => undefined,
  ) {
    this.#trainerId = trainerId;
    this.#trainerSecret = trainerSecret;
    this.#onDrained = onDrained;
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
        refusalCount: 0,
        drainReason: '',
      },
      trainerSecret: this.#trainerSecret,
      recipeVersion: RECIPE_VERSION,
      stages: STAGES.map((stage) => stages.toProto(stage)),
    });
    const leaseMs = durationFromProto(response.leaseDuration, DEFAULT_LEASE_TIMING.leaseMs);
    const timing = leaseTimingFor(leaseMs);
    const heartbeatMs = durationFromProto(response.heartbeatInterval, timing.heartbeatMs);
    return { ...timing, heartbeatMs, clusterId: response.clusterId, benchReason: response.benchReason };
  }

  async leaseTask(wanted: WantedTask, signal: AbortSignal): Promise<LeasedTask | null> {
    const { task, leaseSecret } = await this.#client.call.leaseTask(
      {
        requestId: wanted.requestId,
        trainerId: this.#trainerId,
        slotIndex: wanted.slotIndex,
        heldFeatureKeys: [...wanted.heldFeatureKeys],
        waitDuration: durationToProto(wanted.waitMs),
        trainerSecret: this.#trainerSecret,
      },
      { signal, deadlineMs: wanted.waitMs + LEASE_MARGIN_MS },
    );
    if (task === undefined) return null;
    const { taskId, leaseEpoch } = task;
    this.#leases.set(wanted.slotIndex, { taskId, leaseEpoch, leaseSecret });
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
    const request = {
      trainerId: this.#trainerId,
      trainerSecret: this.#trainerSecret,
      tasks: tasks.map((task) => ({ ...progressToProto(task), leaseSecret: this.#proofOf(task).leaseSecret })),
      draining,
    };
    const { directives, drainReason } = await this.#client.call.heartbeat(request, { deadlineMs });
    if (drainReason !== '' && drainReason !== this.#drainReason) this.#onDrained(drainReason);
    this.#drainReason = drainReason;
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
      { taskId, leaseEpoch, ...this.#proofOf(lease), checkpoint: checkpointToProto(checkpoint) },
      { signal },
    );
    return checkpointFromProto(requireMessage(response.checkpoint, 'checkpoint'), 'checkpoint');
  }

  async completeTask(lease: TaskLease, end: TaskEnd, signal: AbortSignal): Promise<void> {
    const { taskId, leaseEpoch } = lease;
    const proof = this.#proofOf(lease);
    const parts = splitResult(taskEndToProto(end)).map((result) => ({ taskId, leaseEpoch, ...proof, result }));
    const [only, ...others] = parts;
    const options = { signal, deadlineMs: COMPLETE_DEADLINE_MS + others.length * PART_DEADLINE_MS };
    if (only !== undefined && others.length === 0) {
      await this.#client.call.completeTask(only, options);
      return;
    }
    const stream = this.#client.call.completeTaskInParts(each(parts.map((part) => ({ part }))), options);
    const answers: unknown[] = [];
    // There is one answer, when the whole result is stored.
    for await (const answer of stream) answers.push(answer);
    if (answers.length === 0) throw new Error(`No answer to the result of task ${taskId}.`);
  }

  async releaseTask(lease: TaskLease, reason: ReleaseReason, signal: AbortSignal): Promise<void> {
    const { taskId, leaseEpoch } = lease;
    const request = { taskId, leaseEpoch, ...this.#proofOf(lease), reason: RELEASE_REASONS.toProto(reason) };
    await this.#client.call.releaseTask(request, { signal });
  }

  async *reportMetrics(batches: AsyncIterable<MetricBatch>, signal: AbortSignal): AsyncGenerator<MetricAnswer> {
    const requests = batchesToProto(batches, (lease) => this.#proofOf(lease));
    for await (const answer of this.#client.call.reportMetrics(requests, { signal })) {
      yield answerFromProto(answer);
    }
  }

  close(): void {
    this.#client.close();
  }

  /** Returns an empty secret for a lease that this process does not hold; the coordinator then refuses the write. */
  #proofOf({ taskId, leaseEpoch }: TaskLease): HolderProof {
    for (const lease of this.#leases.values()) {
      if (lease.taskId !== taskId || lease.leaseEpoch !== leaseEpoch) continue;
      return { trainerId: this.#trainerId, leaseSecret: lease.leaseSecret };
    }
    return { trainerId: this.#trainerId, leaseSecret: '' };
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
    detail: cleanText(progress.detail, MAX_DETAIL),
  };
}

async function* batchesToProto(
  batches: AsyncIterable<MetricBatch>,
  proofOf: (lease: TaskLease) => HolderProof,
): AsyncGenerator<ReportMetricsRequest> {
  for await (const { taskId, leaseEpoch, sequence, epochs, rungs } of batches) {
    yield {
      taskId,
      leaseEpoch,
      ...proofOf({ taskId, leaseEpoch }),
      sequence: BigInt(sequence),
      epochs: epochs.map(({ runId, stage, epoch, values }) => ({
        runId,
        stage: stages.toProto(stage),
        epoch,
        names: Object.keys(values),
        values: Object.values(values),
      })),
      rungs: rungs.map(rungReportToProto),
    };
    // The consumer requests the next batch after it has sent this one.
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
    ...(response.errorMessage === '' ? {} : { message: response.errorMessage }),
  };
}

function refusalOf(reason: string): MetricAnswer['refusal'] {
  if (reason === '') return null;
  // A reason that this version does not know must never count as durable.
  return REFUSALS.find((refusal) => refusal === reason) ?? 'METRIC_CONFLICT';
}
