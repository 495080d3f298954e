import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ParameterSpec } from '../../../services/core/sweep/sweep-spec.ts';
import type { LeasedTask } from '../../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { NO_RETRY, createClient } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { specOf } from '../../integration/coordinator/harness.ts';
import { SimulatedTrainer, outcomeOf } from '../../integration/coordinator/simulated-trainer.ts';
import { CoordinatorProcess } from '../../support/coordinator-process.ts';

const SLOTS_PER_TRAINER = 4;
const TASK_MS = 1_000;
const LEASE_WAIT_MS = 5_000;
const HEARTBEAT_MS = 10_000;
const REPORT_MS = 30_000;
/** Number of augmentation seeds. */
const SEEDS = 100;
/** Target ratio: 634 s for 10,000 tasks on 16 slots, whose ideal is 625 s. */
const TARGET_RATIO = 634 / 625;

interface Progress {
  readonly taskCount: number;
  doneCount: number;
  /** Latencies of each task's calls. */
  readonly leaseMs: number[];
  readonly completeMs: number[];
}

function numbers(name: string, count: number): ParameterSpec {
  const values = Array.from({ length: count }, (_, index) => index + 1);
  return { name, domain: { kind: 'values', values }, conditions: [] };
}

/** Runs a trainer's slots and its heartbeat until all tasks are done. */
async function runTrainer(trainer: SimulatedTrainer, slotCount: number, progress: Progress): Promise<void> {
  const held = new Map<number, LeasedTask>();
  const heartbeat = setInterval(() => {
    if (held.size > 0) void trainer.heartbeat([...held.values()]);
  }, HEARTBEAT_MS);
  try {
    await Promise.all(
      Array.from({ length: slotCount }, async (_, slotIndex) => {
        while (progress.doneCount < progress.taskCount) {
          const askedMs = performance.now();
          const task = await trainer.lease(slotIndex, LEASE_WAIT_MS);
          if (task === null) continue;
          held.set(slotIndex, task);
          if (task.stage === 'HEAD') {
            progress.leaseMs.push(performance.now() - askedMs);
            await workOneSecond(trainer, task, progress);
            progress.doneCount += 1;
          } else {
            await trainer.work(task);
          }
          held.delete(slotIndex);
        }
      }),
    );
  } finally {
    clearInterval(heartbeat);
  }
}

async function workOneSecond(trainer: SimulatedTrainer, task: LeasedTask, progress: Progress): Promise<void> {
  const end = sleep(TASK_MS);
  await sleep(TASK_MS / 2);
  const [answer] = await trainer.report([trainer.batch(task, 1, 1)]);
  if (answer?.errorReason !== '') throw new Error(`A batch was refused: ${answer?.errorReason ?? 'no answer'}`);
  await end;
  const doneMs = performance.now();
  await trainer.complete(task, { stage: 'TRAIN', outcomes: task.runs.map(({ runId }) => outcomeOf(runId, 1)) });
  progress.completeMs.push(performance.now() - doneMs);
}

export interface SchedulerMeasurement {
  /** Seconds from the first task's lease to the last one's completion. */
  readonly seconds: number;
  readonly idealSeconds: number;
  readonly targetSeconds: number;
  /** Number of tasks that succeeded. */
  readonly taskCount: number;
  readonly coordinatorCpuSeconds: number;
  /** Seconds until the sweep was accepted. */
  readonly submitSeconds: number;
  /** Time between a slot's tasks, and the time that the target allows for it. */
  readonly between: string;
}

export interface SchedulerOptions {
  readonly taskCount: number;
  readonly slotCount: number;
  /** Folder for the database and the artifacts. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

/**
 * Measures simulated slots that lease a task, compute nothing for a second, report an epoch's metrics in the middle of
 * it, and complete it. Coordinator, gRPC and PostgreSQL are real.
 */
export async function measureScheduler(options: SchedulerOptions): Promise<SchedulerMeasurement> {
  const { taskCount, slotCount, folder, say } = options;
  if (taskCount % SEEDS !== 0) throw new RangeError(`taskCount must be a multiple of ${SEEDS}; received ${taskCount}.`);
  await using coordinator = await CoordinatorProcess.start(folder);
  using trainers = createClient(TrainerServiceService, { addresses: [coordinator.address], retry: NO_RETRY });
  const artifacts = new DirectoryArtifactStore(join(folder, 'artifacts'));
  const spec = specOf({
    // Another order of the images or other random numbers make another stream of batches, so each run is a separate
    // task.
    base: { backbone: 'vgg16', weights: 'random', image_size: 64, epochs: 1, method: 'augmented' },
    parameters: [numbers('data_seed', taskCount / SEEDS), numbers('augmentation.seed', SEEDS)],
  });
  const startMs = performance.now();
  await coordinator.sweeps.call.createSweep({ requestId: '', spec: sweepSpecToProto(spec) });
  const submitSeconds = (performance.now() - startMs) / 1000;
  const cpuBefore = coordinator.cpuSeconds;
  const progress: Progress = { taskCount, doneCount: 0, leaseMs: [], completeMs: [] };
  const report = setInterval(() => say(`${progress.doneCount} of ${taskCount} tasks`), REPORT_MS);
  try {
    const counts = Array.from({ length: Math.ceil(slotCount / SLOTS_PER_TRAINER) }, (_, index) =>
      Math.min(SLOTS_PER_TRAINER, slotCount - index * SLOTS_PER_TRAINER),
    );
    await Promise.all(
      counts.map(async (count, index) => {
        const trainer = new SimulatedTrainer(trainers.call, artifacts, `t${index + 1}`);
        await trainer.register(count);
        await runTrainer(trainer, count, progress);
      }),
    );
  } finally {
    clearInterval(report);
  }
  const coordinatorCpuSeconds = coordinator.cpuSeconds - cpuBefore;
  const { seconds, count } = await readHeadTimes(coordinator.databaseUrl);
  const idealSeconds = (taskCount / slotCount) * (TASK_MS / 1000);
  const targetSeconds = idealSeconds * TARGET_RATIO;
  const between =
    `A lease took ${describe(progress.leaseMs)}, a completion ${describe(progress.completeMs)}; the target leaves ` +
    `${((TARGET_RATIO - 1) * TASK_MS).toFixed(1)} ms a task for both.`;
  return { seconds, idealSeconds, targetSeconds, taskCount: count, coordinatorCpuSeconds, submitSeconds, between };
}

function describe(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (quantile: number): string => (sorted[Math.floor(quantile * sorted.length)] ?? Number.NaN).toFixed(1);
  return `${at(0.5)} ms (median; ${at(0.9)} ms at the 90th percentile)`;
}

/** Reads the time from the first HEAD task's lease to the last one's completion, by the database's clock. */
async function readHeadTimes(databaseUrl: string): Promise<{ readonly seconds: number; readonly count: number }> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ seconds: number; count: number }>(
      `SELECT extract(epoch FROM max(end_time) - min(start_time))::float8 AS seconds, count(*)::int
         FROM tasks WHERE stage = 'HEAD' AND state = 'SUCCEEDED'`,
    );
    return rows[0] ?? { seconds: Number.NaN, count: 0 };
  } finally {
    await client.end();
  }
}
