import { DatabaseUnavailableError, LeaseLostError, TrainerUnknownError } from '../../../services/core/errors.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { durationToProto } from '../../../services/platform/rpc/convert/duration.ts';
import { leasedTaskToProto } from '../../../services/platform/rpc/convert/task.ts';
import { createServer } from '../../../services/platform/rpc/server.ts';
import type { CallContext } from '../../../services/platform/rpc/call-context.ts';
import type { RpcServer } from '../../../services/platform/rpc/server.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { TaskCommand, TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type {
  CompleteTaskRequest,
  HeartbeatRequest,
  LeaseTaskRequest,
  RegisterTrainerRequest,
  ReleaseTaskRequest,
  ReportMetricsRequest,
  ReportMetricsResponse,
} from '../../../proto/gen/graft/v1/trainer_service.ts';

/** An event, in the order in which events became durable. */
export type Entry =
  | { readonly kind: 'registered'; readonly request: RegisterTrainerRequest }
  | { readonly kind: 'refused' }
  | { readonly kind: 'asked'; readonly request: LeaseTaskRequest }
  | { readonly kind: 'leased'; readonly taskId: string; readonly requestId: string }
  | { readonly kind: 'heartbeat'; readonly request: HeartbeatRequest }
  | { readonly kind: 'epoch'; readonly runId: string; readonly epoch: number; readonly sequence: number }
  | { readonly kind: 'checkpoint'; readonly runId: string; readonly epoch: number }
  | { readonly kind: 'completed'; readonly request: CompleteTaskRequest }
  | { readonly kind: 'released'; readonly request: ReleaseTaskRequest };

/** Kinds of writes of a trainer about a task. */
export const WRITE_KINDS = ['heartbeat', 'metrics', 'checkpoint', 'completion', 'release'] as const;
export type WriteKind = (typeof WRITE_KINDS)[number];

export interface ScriptedCoordinatorOptions {
  readonly leaseMs?: number;
  readonly heartbeatMs?: number;
}

/**
 * TrainerService in memory, over real gRPC: leases by request ID, metrics by sequence number, fencing by lease epoch. The test
 * switches faults on.
 */
export class ScriptedCoordinator {
  readonly history: Entry[] = [];
  /** Number of lease answers to lose after the task was leased. */
  loseLeaseAnswers = 0;
  /** Number of times to break the metric stream between storing and acknowledging a batch. */
  breakStreams = 0;
  /** Number of batches to refuse with a sequence gap, so that they are resent. */
  reportGaps = 0;
  /** True: heartbeats are refused until the trainer registers again. */
  forgetTrainer = false;
  /** True: registrations fail as they do without a database. */
  refuseRegistrations = false;
  /** Tasks whose writes are refused. */
  readonly lostTasks = new Set<string>();
  /** Kinds of writes that are refused; a zombie may begin with any of them. */
  fenced: ReadonlySet<WriteKind> = new Set(WRITE_KINDS);
  readonly commands = new Map<string, keyof typeof TaskCommand>();
  readonly stoppedRuns = new Map<string, string[]>();
  readonly #options: ScriptedCoordinatorOptions;
  readonly #queue: LeasedTask[] = [];
  readonly #given = new Map<string, LeasedTask>();
  readonly #sequences = new Map<string, number>();
  readonly #waiters: { readonly isThere: (history: readonly Entry[]) => boolean; readonly resolve: () => void }[] = [];
  #server: RpcServer | null = null;
  #arrived: () => void = () => undefined;

  constructor(options: ScriptedCoordinatorOptions = {}) {
    this.#options = options;
  }

  /** @param port 0: any. */
  async start(port = 0): Promise<number> {
    const server = createServer({ log: createLogger('scripted-coordinator', 'silent') });
    server.addService(TrainerServiceService, {
      registerTrainer: (request) => {
        if (this.refuseRegistrations) {
          this.#add({ kind: 'refused' });
          throw new DatabaseUnavailableError('it is stopped');
        }
        this.forgetTrainer = false;
        this.#add({ kind: 'registered', request });
        const { heartbeatMs = 100, leaseMs = 30_000 } = this.#options;
        return Promise.resolve({
          heartbeatInterval: durationToProto(heartbeatMs),
          leaseDuration: durationToProto(leaseMs),
          clusterId: '',
          benchReason: '',
        });
      },
      leaseTask: (request, context) => this.#lease(request, context),
      heartbeat: (request) => this.#heartbeat(request),
      reportMetrics: (requests) => this.#reportMetrics(requests),
      registerCheckpoint: async (request) => {
        this.#fence(request, 'checkpoint');
        const { checkpoint } = request;
        this.#add({ kind: 'checkpoint', runId: checkpoint?.runId ?? '', epoch: checkpoint?.epoch ?? 0 });
        return await Promise.resolve({ checkpoint });
      },
      completeTask: async (request) => {
        this.#fence(request, 'completion');
        this.#add({ kind: 'completed', request });
        return await Promise.resolve({});
      },
      completeTaskInParts: () => Promise.reject(new Error('No scripted result is as large as that.')),
      releaseTask: async (request) => {
        this.#fence(request, 'release');
        this.#add({ kind: 'released', request });
        return await Promise.resolve({});
      },
    });
    this.#server = server;
    return await server.listen(`127.0.0.1:${port}`);
  }

  async stop(): Promise<void> {
    await this.#server?.drain(0);
    this.#server = null;
  }

  give(task: LeasedTask): void {
    this.#queue.push(task);
    this.#arrived();
  }

  of<K extends Entry['kind']>(kind: K): Extract<Entry, { kind: K }>[] {
    return this.history.filter((entry): entry is Extract<Entry, { kind: K }> => entry.kind === kind);
  }

  /** Resolves when the history has `count` entries of a kind. */
  async until(kind: Entry['kind'], count = 1): Promise<void> {
    await this.untilTrue((history) => history.filter((entry) => entry.kind === kind).length >= count);
  }

  async untilTrue(isThere: (history: readonly Entry[]) => boolean): Promise<void> {
    if (isThere(this.history)) return;
    await new Promise<void>((resolve) => this.#waiters.push({ isThere, resolve }));
  }

  #add(entry: Entry): void {
    this.history.push(entry);
    for (const waiter of [...this.#waiters]) {
      if (!waiter.isThere(this.history)) continue;
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.resolve();
    }
  }

  async #lease(request: LeaseTaskRequest, { signal, draining }: CallContext) {
    this.#add({ kind: 'asked', request });
    const known = this.#given.get(request.requestId);
    if (known !== undefined) return { task: leasedTaskToProto(known), leaseSecret: secretOf(known) };
    while (this.#queue.length === 0) {
      if (signal.aborted || draining.aborted) return { task: undefined, leaseSecret: '' };
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
        draining.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    const task = this.#queue.shift();
    if (task === undefined) return { task: undefined, leaseSecret: '' };
    this.#given.set(request.requestId, task);
    this.#add({ kind: 'leased', taskId: task.taskId, requestId: request.requestId });
    if (this.loseLeaseAnswers > 0) {
      this.loseLeaseAnswers -= 1;
      throw new Error('the answer gets lost');
    }
    return { task: leasedTaskToProto(task), leaseSecret: secretOf(task) };
  }

  async #heartbeat(request: HeartbeatRequest) {
    if (this.forgetTrainer) throw new TrainerUnknownError(request.trainerId);
    this.#add({ kind: 'heartbeat', request });
    return await Promise.resolve({
      drainReason: '',
      directives: request.tasks.map(({ taskId, leaseEpoch }) => ({
        taskId,
        leaseEpoch,
        command:
          TaskCommand[this.#isFenced(taskId, 'heartbeat') ? 'ABANDON' : (this.commands.get(taskId) ?? 'UNSPECIFIED')],
        stoppedRunIds: this.stoppedRuns.get(taskId) ?? [],
      })),
    });
  }

  async *#reportMetrics(requests: AsyncIterable<ReportMetricsRequest>): AsyncGenerator<ReportMetricsResponse> {
    for await (const { taskId, leaseEpoch, sequence, epochs } of requests) {
      const refusal = { errorReason: '', errorMessage: '', expectedSequence: 0n };
      const answer = { taskId, leaseEpoch, sequence, ...refusal, stoppedRunIds: [] };
      const key = `${taskId}/${leaseEpoch}`;
      const last = this.#sequences.get(key) ?? 0;
      if (this.#isFenced(taskId, 'metrics')) {
        yield { ...answer, errorReason: 'LEASE_LOST' };
      } else if (Number(sequence) > last + 1 || (this.reportGaps > 0 && Number(sequence) === last + 1)) {
        this.reportGaps -= 1;
        yield { ...answer, errorReason: 'SEQUENCE_GAP', expectedSequence: BigInt(last + 1) };
      } else {
        if (Number(sequence) === last + 1) {
          this.#sequences.set(key, last + 1);
          for (const { runId, epoch } of epochs) this.#add({ kind: 'epoch', runId, epoch, sequence: Number(sequence) });
        }
        if (this.breakStreams > 0) {
          this.breakStreams -= 1;
          throw new Error('the stream breaks');
        }
        yield answer;
      }
    }
  }

  #fence({ taskId, leaseEpoch }: { readonly taskId: string; readonly leaseEpoch: number }, kind: WriteKind): void {
    if (this.#isFenced(taskId, kind)) throw new LeaseLostError(taskId, leaseEpoch);
  }

  #isFenced(taskId: string, kind: WriteKind): boolean {
    return this.lostTasks.has(taskId) && this.fenced.has(kind);
  }
}

function secretOf({ taskId, leaseEpoch }: LeasedTask): string {
  return `secret of ${taskId}/${leaseEpoch}`;
}
