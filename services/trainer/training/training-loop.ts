import type { RunOutcome, RunOutcomeKind, TaskError } from '../../core/task.ts';
import type { CheckpointWriter } from './checkpoint-writer.ts';
import { predictTogether, trainTogether } from './learner.ts';
import type { Member } from './member.ts';
import { epochBatches } from '../data/batches.ts';
import type { Batch, SplitReader } from './split-reader.ts';
import { readPeakMemory } from './peak-memory.ts';
import type { Validation } from './validation-pass.ts';
import { taskErrorOf } from './task-error.ts';
import type { StopAction, TaskLink } from './task-link.ts';

export interface TrainingLoopOptions {
  readonly link: TaskLink;
  readonly writer: CheckpointWriter;
  readonly train: SplitReader;
  readonly validation: SplitReader;
  /** Shared by all members, like `dataSeed`. */
  readonly batchSize: number;
  readonly dataSeed: number;
  /** Images of one validation step. */
  readonly validationBatchSize: number;
}

export interface TrainingEnd {
  readonly outcomes: readonly RunOutcome[];
  /** The command that ended training after everything was saved; null if all members are done. */
  readonly action: StopAction | null;
}

/** Wall clock of a member's epoch. */
interface EpochClock {
  readonly startMs: number;
  imageCount: number;
}

/**
 * Trains runs that read the same batches: each batch is computed once, and every member at this position takes a step. A member
 * leaves when it is done, stopped early, at its epoch to pause, stopped by command, or its loss is not finite; the others continue.
 * Members that were resumed at a later position wait until the others have reached it.
 */
export class TrainingLoop {
  readonly #options: TrainingLoopOptions;
  readonly #active = new Map<string, Member>();
  readonly #outcomes = new Map<string, RunOutcome>();
  readonly #clocks = new Map<string, EpochClock>();
  readonly #stepLimit: number;
  readonly #stepsPerEpoch: number;
  #stepCount = 0;

  /** Takes ownership of the members. */
  constructor(options: TrainingLoopOptions, members: readonly Member[]) {
    this.#options = options;
    this.#stepsPerEpoch = Math.ceil(options.train.count / options.batchSize);
    const epochs = members.map((member) => member.lastEpoch - member.epoch);
    this.#stepLimit = Math.max(0, ...epochs) * this.#stepsPerEpoch;
    for (const member of members) {
      const { finalOutcome } = member;
      if (finalOutcome === null) this.#active.set(member.runId, member);
      else {
        this.#emitRungs(member);
        this.#leave(member, finalOutcome);
      }
    }
  }

  async run(): Promise<TrainingEnd> {
    const { link, writer } = this.#options;
    try {
      while (this.#active.size > 0 && link.action === null) {
        await this.#trainEpoch(Math.min(...[...this.#active.values()].map((member) => member.epoch)) + 1);
      }
      await writer.save([...this.#active.values()]);
      return { outcomes: [...this.#outcomes.values()], action: this.#active.size > 0 ? link.action : null };
    } finally {
      for (const member of this.#active.values()) member.dispose();
    }
  }

  /** @param epoch from 1. */
  async #trainEpoch(epoch: number): Promise<void> {
    const { train, link, batchSize, dataSeed } = this.#options;
    const batches = epochBatches({ count: train.count, batchSize, order: { dataSeed, epoch } });
    for (const [step, indices] of batches.entries()) {
      const members = [...this.#active.values()].filter(
        (member) => member.epoch === epoch - 1 && member.stepInEpoch === step,
      );
      if (members.length === 0) continue;
      for (const member of members) this.#startClock(member);
      const batch = train.read(indices, epoch);
      try {
        this.#trainStep(members, batch);
      } finally {
        batch.dispose();
      }
      this.#stepCount += 1;
      // The epoch ends directly after its last step, so no command comes between them.
      if (step === batches.length - 1) await this.#finishEpoch(members, epoch);
      await this.#breathe(epoch, step);
      if (link.action !== null) return;
    }
  }

  /** Starts the clocks of an epoch. Members that share a batch share the time that reading it takes. */
  #startClock({ runId }: Member): void {
    if (!this.#clocks.has(runId)) this.#clocks.set(runId, { startMs: performance.now(), imageCount: 0 });
  }

  #trainStep(members: readonly Member[], batch: Batch): void {
    const outputs = trainTogether(
      members.map((member) => member.nextStep()),
      batch,
    );
    for (const member of members) {
      const output = outputs.get(member.learner);
      if (output !== undefined) member.finishStep(output, batch);
      const clock = this.#clocks.get(member.runId);
      if (clock !== undefined) clock.imageCount += batch.labels.length;
    }
  }

  async #finishEpoch(members: readonly Member[], epoch: number): Promise<void> {
    const validation = await this.#validate(members, epoch);
    for (const [member, results] of validation) {
      const clock = this.#clocks.get(member.runId) ?? { startMs: performance.now(), imageCount: 0 };
      this.#clocks.delete(member.runId);
      // Never 0: images per second must be finite.
      const seconds = Math.max(1e-6, (performance.now() - clock.startMs) / 1000);
      try {
        const values = member.finishEpoch(results);
        this.#emitEpoch(member, { ...values, seconds, images_per_second: clock.imageCount / seconds });
        this.#emitRungs(member);
      } catch (error) {
        const taskError = taskErrorOf(error);
        if (taskError.errorClass !== 'NUMERIC') throw error;
        this.#leave(member, 'FAILED', taskError);
      }
    }
    // Saving takes time, so it comes after all members were timed.
    for (const member of members) {
      const { finalOutcome } = member;
      if (finalOutcome !== null && this.#active.has(member.runId)) await this.#leaveSaved(member, finalOutcome);
    }
  }

  async #validate(members: readonly Member[], epoch: number): Promise<ReadonlyMap<Member, Validation>> {
    const { validation, validationBatchSize } = this.#options;
    const passes = members.map((member) => ({ member, pass: member.startValidation(validation.count) }));
    let done = 0;
    for (const indices of epochBatches({ count: validation.count, batchSize: validationBatchSize, order: null })) {
      const batch = validation.read(indices, epoch);
      try {
        const logits = predictTogether(
          members.map(({ learner }) => learner),
          batch,
        );
        for (const { member, pass } of passes) {
          const output = logits.get(member.learner);
          if (output !== undefined) pass.add(output, batch.labels);
        }
      } finally {
        batch.dispose();
      }
      done += indices.length;
      // The step count does not change during validation; the changing detail shows that the worker is not stuck.
      const detail = `epoch ${epoch}, validation image ${done} of ${validation.count}`;
      await this.#options.link.breathe(this.#stepCount, this.#stepLimit, detail);
    }
    return new Map(passes.map(({ member, pass }) => [member, pass.finish()]));
  }

  /** Lets messages through and obeys their commands. */
  async #breathe(epoch: number, step: number): Promise<void> {
    const { link, writer } = this.#options;
    await link.breathe(this.#stepCount, this.#stepLimit, `epoch ${epoch}, step ${step + 1} of ${this.#stepsPerEpoch}`);
    for (const member of [...this.#active.values()]) {
      if (link.isStopped(member.runId)) await this.#leaveSaved(member, 'STOPPED');
    }
    if (link.action !== null) return;
    if (link.takeCheckpointRequest()) await writer.save([...this.#active.values()]);
    else await writer.saveIfDue([...this.#active.values()]);
  }

  async #leaveSaved(member: Member, kind: RunOutcomeKind): Promise<void> {
    await this.#options.writer.save([member]);
    this.#leave(member, kind);
  }

  #leave(member: Member, kind: RunOutcomeKind, error: TaskError | null = null): void {
    this.#active.delete(member.runId);
    const outcome = runOutcome(member.runId, kind, member.epoch, error);
    const { earlyStop } = member;
    this.#outcomes.set(
      member.runId,
      kind === 'EARLY_STOPPED' && earlyStop !== null ? { ...outcome, earlyStop } : outcome,
    );
    // Its memory is released at once, since others may need it.
    member.dispose();
  }

  #emitEpoch(member: Member, values: Readonly<Record<string, number>>): void {
    const { link } = this.#options;
    const { runId, epoch } = member;
    link.emit({ type: 'epoch', taskId: link.taskId, runId, stage: member.phase.stage, epoch, values });
  }

  /** Reports results by image after their epoch, and before a checkpoint, which implies everything before it. */
  #emitRungs(member: Member): void {
    const { link } = this.#options;
    for (const report of member.rungReports()) link.emit({ type: 'rung', taskId: link.taskId, report });
  }
}

/** @param epochCount completed epochs of the stage. */
export function runOutcome(
  runId: string,
  kind: RunOutcomeKind,
  epochCount: number,
  error: TaskError | null = null,
): RunOutcome {
  return { runId, kind, error, epochCount, peakMemoryBytes: readPeakMemory() };
}
