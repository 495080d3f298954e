import { GraftError, InvalidRequestError } from './errors.ts';
import type { ErrorMetadata, ErrorReason } from './errors.ts';

/** A trainer's report violates a rule of `core/reports`. Nothing of it is stored, and it counts against the trainer. */
export class ReportRefusedError extends InvalidRequestError {
  override readonly reason: ErrorReason = 'REPORT_REFUSED';

  override get metadata(): ErrorMetadata {
    const [first] = this.violations;
    return first === undefined ? {} : { field: first.field, rule: first.description.slice(0, MAX_RULE_LENGTH) };
  }
}

const MAX_RULE_LENGTH = 300;

/** The caller does not hold the lease that it writes under. It must stop that work and write nothing. */
export class LeaseNotHeldError extends GraftError {
  readonly reason = 'LEASE_NOT_HELD';
  readonly taskId: string;
  readonly leaseEpoch: number;

  constructor(taskId: string, leaseEpoch: number) {
    super(
      `Lease ${leaseEpoch} of task ${taskId} is not the caller's: send the trainer_id that leased it and the lease_secret ` +
        'that LeaseTask answered with.',
    );
    this.taskId = taskId;
    this.leaseEpoch = leaseEpoch;
  }

  override get metadata(): ErrorMetadata {
    return { task_id: this.taskId, lease_epoch: String(this.leaseEpoch) };
  }
}

/** The identity of a trainer is bound to another secret than the caller's. */
export class TrainerIdTakenError extends GraftError {
  readonly reason = 'TRAINER_ID_TAKEN';
  readonly trainerId: string;

  constructor(trainerId: string) {
    super(
      `Trainer id '${trainerId}' is bound to another trainer_secret, so another process has it, or this one lost its state ` +
        'folder (GRAFT_STATE_DIR). Set another GRAFT_TRAINER_ID; or, where the disk was replaced, wait until `graft trainers` ' +
        `shows it as LOST and run \`graft trainers forget ${trainerId}\` as an administrator.`,
    );
    this.trainerId = trainerId;
  }

  override get metadata(): ErrorMetadata {
    return { trainer_id: this.trainerId };
  }
}
