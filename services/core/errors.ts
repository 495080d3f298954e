import type { FieldViolation } from './sweep/sweep-spec.ts';

/** The names of `ErrorReason` in `proto/graft/v1/error.proto` without the prefix. */
export const ERROR_REASONS = [
  'INVALID_REQUEST',
  'NOT_FOUND',
  'REQUEST_ID_REUSED',
  'ILLEGAL_STATE',
  'LEASE_LOST',
  'SEQUENCE_GAP',
  'METRIC_CONFLICT',
  'TRAINER_UNKNOWN',
  'ARTIFACT_MISSING',
  'SHUTTING_DOWN',
  'DATABASE_UNAVAILABLE',
  'INTERNAL',
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'RATE_LIMITED',
  'VERSION_SKEW',
  'REPORT_REFUSED',
  'LEASE_NOT_HELD',
  'TRAINER_ID_TAKEN',
  'ARTIFACT_DAMAGED',
] as const;
export type ErrorReason = (typeof ERROR_REASONS)[number];

/** `google.rpc.ErrorInfo.metadata`: strings only. */
export type ErrorMetadata = Readonly<Record<string, string>>;

/** Base of every error that crosses a service boundary; `rpc` maps `reason` to a gRPC status and back. */
export abstract class GraftError extends Error {
  abstract readonly reason: ErrorReason;

  protected constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }

  /** Machine-readable details of the error, sent as `ErrorInfo.metadata`. */
  get metadata(): ErrorMetadata {
    return {};
  }
}

/** Maximum number of mistakes of a request that are listed; the others are only counted. */
export const MAX_LISTED_VIOLATIONS = 50;

/** Returns the mistakes that are listed: the first ones with a description (`ViolationList` describes no more than these). */
export function listedViolations(violations: readonly FieldViolation[]): readonly FieldViolation[] {
  return violations.filter(({ description }) => description !== '').slice(0, MAX_LISTED_VIOLATIONS);
}

/** The request has mistakes; the first ones are listed, each with its field path. */
export class InvalidRequestError extends GraftError {
  readonly reason: ErrorReason = 'INVALID_REQUEST';
  /** The listed mistakes, at most `MAX_LISTED_VIOLATIONS`. */
  readonly violations: readonly FieldViolation[];
  /** Number of mistakes, including those that are not listed. */
  readonly count: number;

  constructor(violations: readonly FieldViolation[], count = violations.length) {
    const listed = listedViolations(violations);
    super(describeViolations(listed, count));
    this.violations = listed;
    this.count = count;
  }
}

/** There is no object with that identity. */
export class NotFoundError extends GraftError {
  readonly reason = 'NOT_FOUND';
  /** The kind of object, for example `sweep`. */
  readonly kind: string;
  readonly id: string;

  constructor(kind: string, id: string) {
    super(`There is no ${kind} '${id}'.`);
    this.kind = kind;
    this.id = id;
  }

  override get metadata(): ErrorMetadata {
    return { kind: this.kind, id: this.id };
  }
}

/** The `request_id` was used before with different content. */
export class RequestIdReusedError extends GraftError {
  readonly reason = 'REQUEST_ID_REUSED';
  readonly requestId: string;

  constructor(requestId: string) {
    super(
      `request_id '${requestId}' was used before with another content. Send a new request_id for a new request, or ` +
        'the same content to get the first answer again.',
    );
    this.requestId = requestId;
  }

  override get metadata(): ErrorMetadata {
    return { request_id: this.requestId };
  }
}

/** The state does not allow the transition. */
export class IllegalStateError extends GraftError {
  readonly reason = 'ILLEGAL_STATE';
  /** The object that has the state, for example `sweep s1`. */
  readonly subject: string;
  readonly state: string;

  /** @param remedy a sentence; empty: the allowed states say it. */
  constructor(subject: string, state: string, action: string, allowedStates: readonly string[], remedy = '') {
    super(
      `Can't ${action} ${subject}: its state is ${state}, and that needs ` +
        `${allowedStates.length > 0 ? allowedStates.join(' or ') : 'a state that does not exist'}.` +
        (remedy === '' ? '' : ` ${remedy}`),
    );
    this.subject = subject;
    this.state = state;
  }

  override get metadata(): ErrorMetadata {
    return { subject: this.subject, state: this.state };
  }
}

/** The state would allow the action, but something still needs the object. Clients receive an `IllegalStateError` with this message. */
export class InUseError extends GraftError {
  readonly reason = 'ILLEGAL_STATE';
  readonly subject: string;
  readonly state: string;

  /** @param why a sentence part and the remedy, with the period. */
  constructor(subject: string, state: string, action: string, why: string) {
    super(`Can't ${action} ${subject}: ${why}`);
    this.subject = subject;
    this.state = state;
  }

  override get metadata(): ErrorMetadata {
    return { subject: this.subject, state: this.state };
  }
}

/** A bound of the sweep's budget would end the work at once. Clients receive an `IllegalStateError` with this message. */
export class BoundReachedError extends GraftError {
  readonly reason = 'ILLEGAL_STATE';
  readonly subject: string;
  readonly state: string;

  /** @param bound how it is reached; @param remedy a sentence. */
  constructor(subject: string, state: string, action: string, bound: string, remedy: string) {
    super(`Can't ${action} ${subject}: ${bound}, so nothing would be trained. ${remedy}`);
    this.subject = subject;
    this.state = state;
  }

  override get metadata(): ErrorMetadata {
    return { subject: this.subject, state: this.state };
  }
}

/** The lease has ended or another slot holds it. The caller must stop that work and write nothing. */
export class LeaseLostError extends GraftError {
  readonly reason = 'LEASE_LOST';
  readonly taskId: string;
  readonly leaseEpoch: number;

  constructor(taskId: string, leaseEpoch: number) {
    super(`Lease ${leaseEpoch} of task ${taskId} has ended or another slot holds it. Stop this work; write nothing.`);
    this.taskId = taskId;
    this.leaseEpoch = leaseEpoch;
  }

  override get metadata(): ErrorMetadata {
    return { task_id: this.taskId, lease_epoch: String(this.leaseEpoch) };
  }
}

/** Metric batches are missing; the sender continues from `expected`. */
export class SequenceGapError extends GraftError {
  readonly reason = 'SEQUENCE_GAP';
  readonly expected: number;
  readonly received: number;

  constructor(expected: number, received: number) {
    super(`Metric batch ${received} came, but ${expected} is next. Send again from ${expected} on.`);
    this.expected = expected;
    this.received = received;
  }

  override get metadata(): ErrorMetadata {
    return { expected_sequence: String(this.expected), received_sequence: String(this.received) };
  }
}

/** A metric was sent twice with different values; the first value is kept. */
export class MetricConflictError extends GraftError {
  readonly reason = 'METRIC_CONFLICT';
  readonly runId: string;
  readonly metric: string;
  readonly epoch: number;
  readonly stored: number;
  readonly received: number;

  constructor(runId: string, metric: string, epoch: number, stored: number, received: number) {
    super(
      `${metric} of run ${runId}, epoch ${epoch}, is stored as ${stored} and came again as ${received}. ` +
        'The stored value stays; the attempt that sent this one did not compute the same thing twice.',
    );
    this.runId = runId;
    this.metric = metric;
    this.epoch = epoch;
    this.stored = stored;
    this.received = received;
  }

  override get metadata(): ErrorMetadata {
    return {
      run_id: this.runId,
      metric: this.metric,
      epoch: String(this.epoch),
      stored: String(this.stored),
      received: String(this.received),
    };
  }
}

/** The trainer is not, or no longer, registered; it must register again. */
export class TrainerUnknownError extends GraftError {
  readonly reason = 'TRAINER_UNKNOWN';
  readonly trainerId: string;

  constructor(trainerId: string) {
    super(`Trainer '${trainerId}' is not registered. Call RegisterTrainer first.`);
    this.trainerId = trainerId;
  }

  override get metadata(): ErrorMetadata {
    return { trainer_id: this.trainerId };
  }
}

/** The artifact is not in the store, or does not match its row. */
export class ArtifactMissingError extends GraftError {
  readonly reason = 'ARTIFACT_MISSING';
  readonly uri: string;

  constructor(uri: string, detail = 'is not in the artifact store') {
    super(`${uri} ${detail}.`);
    this.uri = uri;
  }

  override get metadata(): ErrorMetadata {
    return { uri: this.uri };
  }
}

/** The stored file's bytes are not those that were registered. */
export class ArtifactDamagedError extends GraftError {
  readonly reason = 'ARTIFACT_DAMAGED';
  readonly uri: string;

  constructor(uri: string, detail: string) {
    super(`${uri} ${detail}.`);
    this.uri = uri;
  }

  override get metadata(): ErrorMetadata {
    return { uri: this.uri };
  }
}

/** The process is shutting down; the caller retries later or calls another one. */
export class ShuttingDownError extends GraftError {
  readonly reason = 'SHUTTING_DOWN';

  constructor(subject = 'The coordinator') {
    super(`${subject} is ending. Try again in a moment.`);
  }
}

/** The database is unavailable; the call can be retried. */
export class DatabaseUnavailableError extends GraftError {
  readonly reason = 'DATABASE_UNAVAILABLE';

  constructor(detail: string, options?: ErrorOptions) {
    super(`The database can't be reached: ${detail}. The call can be retried.`, options);
  }
}

/** An internal fault; the log has it under `errorId`. */
export class InternalError extends GraftError {
  readonly reason = 'INTERNAL';
  readonly errorId: string;

  constructor(errorId: string, options?: ErrorOptions) {
    super(`Something went wrong inside; the log has it under error_id ${errorId}.`, options);
    this.errorId = errorId;
  }

  override get metadata(): ErrorMetadata {
    return { error_id: this.errorId };
  }
}

/** The call has no token, or one that is unknown, revoked or expired. */
export class UnauthenticatedError extends GraftError {
  readonly reason = 'UNAUTHENTICATED';

  /** @param detail the problem, without any part of the token. */
  constructor(detail: string) {
    super(
      `${detail} Set GRAFT_TOKEN or GRAFT_TOKEN_FILE to a token that an administrator made with \`graft token create\`.`,
    );
  }
}

/** The token's role does not allow the call. */
export class PermissionDeniedError extends GraftError {
  readonly reason = 'PERMISSION_DENIED';
  /** Name of the method, for example `CreateSweep`. */
  readonly method: string;
  readonly role: string;
  readonly neededRole: string;

  constructor(method: string, role: string, neededRole: string) {
    super(`${method} needs a token with the role ${neededRole}; this one's role is ${role}.`);
    this.method = method;
    this.role = role;
    this.neededRole = neededRole;
  }

  override get metadata(): ErrorMetadata {
    return { method: this.method, role: this.role, needed_role: this.neededRole };
  }
}

/** Too many calls or streams at once; the same call may succeed after `retryMs`. */
export class RateLimitedError extends GraftError {
  readonly reason = 'RATE_LIMITED';
  /** Delay before a retry, milliseconds. */
  readonly retryMs: number;

  /** @param limit the exceeded limit, with its number. */
  constructor(limit: string, retryMs: number) {
    super(`${limit} Try again in ${(retryMs / 1_000).toFixed(1)} s.`);
    this.retryMs = retryMs;
  }

  override get metadata(): ErrorMetadata {
    return { retry_ms: String(this.retryMs) };
  }
}

function describeViolations(violations: readonly FieldViolation[], count: number): string {
  const mistakes = count === 1 ? 'one mistake' : `${count} mistakes`;
  const more = count > violations.length ? `\n  … and ${count - violations.length} more; fix these first.` : '';
  return `The request has ${mistakes}:\n${violations.map((v) => `  ${v.field}: ${v.description}`).join('\n')}${more}`;
}

/** The trainer and the coordinator have incompatible versions (`version-skew.ts`). */
export class VersionSkewError extends GraftError {
  readonly reason = 'VERSION_SKEW';
  readonly trainerVersion: string;
  readonly coordinatorVersion: string;

  constructor(trainerVersion: string, coordinatorVersion: string) {
    super(
      `This trainer is of version '${trainerVersion}' and the coordinator of '${coordinatorVersion}': they work together ` +
        'when they are of the same major version and at most one minor version apart. Upgrade one minor version at a time: ' +
        'the database, then coordinators, then trainers.',
    );
    this.trainerVersion = trainerVersion;
    this.coordinatorVersion = coordinatorVersion;
  }

  override get metadata(): ErrorMetadata {
    return { trainer_version: this.trainerVersion, coordinator_version: this.coordinatorVersion };
  }
}
