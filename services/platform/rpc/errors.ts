import { randomBytes } from 'node:crypto';
import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import {
  ArtifactDamagedError,
  ArtifactMissingError,
  DatabaseUnavailableError,
  ERROR_REASONS,
  GraftError,
  IllegalStateError,
  InternalError,
  InvalidRequestError,
  LeaseLostError,
  MetricConflictError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitedError,
  RequestIdReusedError,
  SequenceGapError,
  ShuttingDownError,
  TrainerUnknownError,
  UnauthenticatedError,
  VersionSkewError,
} from '../../core/errors.ts';
import type { ErrorMetadata, ErrorReason } from '../../core/errors.ts';
import { LeaseNotHeldError, ReportRefusedError, TrainerIdTakenError } from '../../core/trainer-errors.ts';
import type { FieldViolation } from '../../core/sweep/sweep-spec.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '../../../proto/gen/google/rpc/error_details.ts';
import { describeConnection } from './connection-problem.ts';
import { durationToProto } from './convert/duration.ts';
import { Status } from '../../../proto/gen/google/rpc/status.ts';

/** `ErrorInfo.domain` of every error that Graft throws. */
const ERROR_DOMAIN = 'graft';

const DETAILS_KEY = 'grpc-status-details-bin';
const TYPE_PREFIX = 'type.googleapis.com/';
const ERROR_INFO_TYPE = `${TYPE_PREFIX}google.rpc.ErrorInfo`;
const BAD_REQUEST_TYPE = `${TYPE_PREFIX}google.rpc.BadRequest`;
const RETRY_INFO_TYPE = `${TYPE_PREFIX}google.rpc.RetryInfo`;

// gRPC clients on the C core (Python, Ruby) refuse trailers above 8 KiB; base64 adds a third to the details.
const MAX_MESSAGE_HEADER = 1_200;
const MAX_VIOLATION_BYTES = 3_200;
const MAX_METADATA_BYTES = 200;
const MORE_MISTAKES = ' more mistakes; fix these first.';

const CODE_BY_REASON: Readonly<Record<ErrorReason, status>> = {
  INVALID_REQUEST: status.INVALID_ARGUMENT,
  NOT_FOUND: status.NOT_FOUND,
  REQUEST_ID_REUSED: status.ALREADY_EXISTS,
  ILLEGAL_STATE: status.FAILED_PRECONDITION,
  LEASE_LOST: status.FAILED_PRECONDITION,
  SEQUENCE_GAP: status.FAILED_PRECONDITION,
  METRIC_CONFLICT: status.DATA_LOSS,
  TRAINER_UNKNOWN: status.FAILED_PRECONDITION,
  ARTIFACT_MISSING: status.NOT_FOUND,
  SHUTTING_DOWN: status.UNAVAILABLE,
  DATABASE_UNAVAILABLE: status.UNAVAILABLE,
  INTERNAL: status.INTERNAL,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  VERSION_SKEW: status.FAILED_PRECONDITION,
  REPORT_REFUSED: status.INVALID_ARGUMENT,
  LEASE_NOT_HELD: status.PERMISSION_DENIED,
  TRAINER_ID_TAKEN: status.PERMISSION_DENIED,
  ARTIFACT_DAMAGED: status.DATA_LOSS,
};

export type StatusCodeName = keyof typeof status;

/** A failure without a Graft error: no connection, deadline exceeded, cancelled, unknown method. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  /** gRPC status, for example `UNAVAILABLE`. */
  readonly code: StatusCodeName;
  readonly details: string;

  constructor(code: StatusCodeName, details: string, options?: ErrorOptions) {
    super(`${code}: ${details}`, options);
    this.code = code;
    this.details = details;
  }
}

/** Abort reason for a stream that is silent although answers are due; the client rotates to its next address. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/**
 * Converts a handler's error to a gRPC status: the code of its reason and `google.rpc.ErrorInfo`. Mistakes in a request add
 * `google.rpc.BadRequest`, rate limits `google.rpc.RetryInfo`. Any other error becomes INTERNAL with a neutral message;
 * `onUnknown` receives it for logging, with the `error_id` that the client sees.
 */
export function toServiceError(
  error: unknown,
  onUnknown: (errorId: string, cause: unknown) => void = () => undefined,
): ServiceError {
  if (error instanceof GraftError) return serviceErrorOf(error);
  if (isServiceError(error)) return error;
  const errorId = randomBytes(6).toString('hex');
  onUnknown(errorId, error);
  return serviceErrorOf(new InternalError(errorId));
}

/**
 * Restores the typed error of `core/errors.ts` that the server threw, the inverse of `toServiceError`. Returns an `RpcError` if
 * the failure did not come from a handler of Graft. Returns other errors unchanged, and wraps values that are no Error.
 */
export function fromServiceError(error: unknown): Error {
  if (!isServiceError(error)) return error instanceof Error ? error : new Error(String(error), { cause: error });
  const code = codeName(error.code);
  const details = code === 'UNAVAILABLE' ? describeConnection(error.details) : error.details;
  return readDetails(error) ?? new RpcError(code, details, { cause: error });
}

/** Returns whether a retry of the same call may succeed, perhaps at another coordinator. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof GraftError) return CODE_BY_REASON[error.reason] === status.UNAVAILABLE;
  if (error instanceof RpcError) return error.code === 'UNAVAILABLE';
  return isServiceError(error) && error.code === status.UNAVAILABLE;
}

/** Returns whether no answer arrived in time: this coordinator may hang while another one answers. */
export function isDeadlineExceeded(error: unknown): boolean {
  if (error instanceof RpcError) return error.code === 'DEADLINE_EXCEEDED';
  return isServiceError(error) && error.code === status.DEADLINE_EXCEEDED;
}

function serviceErrorOf(error: GraftError): ServiceError {
  const code = CODE_BY_REASON[error.reason];
  const message = fitHeader(error.message);
  const metadataOfError = Object.entries(error.metadata).map(([key, value]) => [
    key,
    truncate(value, MAX_METADATA_BYTES),
  ]);
  const info = ErrorInfo.fromPartial({
    reason: error.reason,
    domain: ERROR_DOMAIN,
    metadata: Object.fromEntries(metadataOfError) as Record<string, string>,
  });
  const details = [{ typeUrl: ERROR_INFO_TYPE, value: Buffer.from(ErrorInfo.encode(info).finish()) }];
  if (error instanceof InvalidRequestError) {
    const badRequest = BadRequest.fromPartial({ fieldViolations: fitViolations(error.violations, error.count) });
    details.push({ typeUrl: BAD_REQUEST_TYPE, value: Buffer.from(BadRequest.encode(badRequest).finish()) });
  }
  if (error instanceof RateLimitedError) {
    const retry = RetryInfo.fromPartial({ retryDelay: durationToProto(error.retryMs) });
    details.push({ typeUrl: RETRY_INFO_TYPE, value: Buffer.from(RetryInfo.encode(retry).finish()) });
  }
  const metadata = new Metadata();
  // The message is in both places: grpcurl shows this one, and grpcio-status refuses details whose message differs.
  metadata.set(DETAILS_KEY, Buffer.from(Status.encode(Status.fromPartial({ code, message, details })).finish()));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

function fitViolations(violations: readonly FieldViolation[], count: number): FieldViolation[] {
  const kept: FieldViolation[] = [];
  let size = 0;
  for (const { field, description } of violations) {
    const violation = { field: truncate(field, 300), description: truncate(description, 1_000) };
    size += Buffer.byteLength(violation.field) + Buffer.byteLength(violation.description) + 8;
    if (size > MAX_VIOLATION_BYTES) break;
    kept.push(violation);
  }
  const left = count - kept.length;
  if (left > 0) kept.push({ field: '', description: `${left}${MORE_MISTAKES}` });
  return kept;
}

/** Inverse of `fitViolations`: the last entry may count omitted violations. */
function restoreInvalid(violations: readonly FieldViolation[]): InvalidRequestError {
  const last = violations.at(-1);
  if (last?.field !== '' || !last.description.endsWith(MORE_MISTAKES)) return new InvalidRequestError(violations);
  const left = Number.parseInt(last.description, 10);
  return new InvalidRequestError(violations, violations.length - 1 + left);
}

/** Truncates a message for the header grpc-message, whose percent-encoding takes up to twelve bytes per character. */
function fitHeader(message: string): string {
  let fitting = truncate(message, MAX_MESSAGE_HEADER);
  while (encodeURI(fitting).length > MAX_MESSAGE_HEADER) {
    fitting = truncate(fitting, Math.floor(Buffer.byteLength(fitting) * 0.8));
  }
  return fitting;
}

function truncate(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let cut = Buffer.from(text)
    .subarray(0, maxBytes - 3)
    .toString('utf8');
  // A truncated character decodes to U+FFFD.
  while (cut.endsWith('\uFFFD')) cut = cut.slice(0, -1);
  return `${cut}...`;
}

function readDetails(error: ServiceError): GraftError | null {
  const raw = error.metadata.get(DETAILS_KEY)[0];
  if (!(raw instanceof Uint8Array)) return null;
  let info: ErrorInfo | null = null;
  let violations: FieldViolation[] = [];
  try {
    for (const detail of Status.decode(raw).details) {
      if (detail.typeUrl === ERROR_INFO_TYPE) info = ErrorInfo.decode(detail.value);
      if (detail.typeUrl === BAD_REQUEST_TYPE) violations = BadRequest.decode(detail.value).fieldViolations;
    }
  } catch {
    return null;
  }
  if (info?.domain !== ERROR_DOMAIN) return null;
  const reason = ERROR_REASONS.find((name) => name === info.reason);
  return reason === undefined ? null : restore(reason, info.metadata, violations, error.details);
}

function restore(
  reason: ErrorReason,
  metadata: ErrorMetadata,
  violations: readonly FieldViolation[],
  message: string,
): GraftError {
  const error = construct(reason, metadata, violations, message);
  // The server's message has more than the metadata, for example the states that are allowed.
  if (!(error instanceof InvalidRequestError)) error.message = message;
  return error;
}

function construct(
  reason: ErrorReason,
  metadata: ErrorMetadata,
  violations: readonly FieldViolation[],
  message: string,
): GraftError {
  const text = (key: string): string => metadata[key] ?? '';
  const number = (key: string): number => Number(metadata[key] ?? Number.NaN);
  switch (reason) {
    case 'INVALID_REQUEST':
      return restoreInvalid(violations);
    case 'NOT_FOUND':
      return new NotFoundError(text('kind'), text('id'));
    case 'REQUEST_ID_REUSED':
      return new RequestIdReusedError(text('request_id'));
    case 'ILLEGAL_STATE':
      return new IllegalStateError(text('subject'), text('state'), 'change', []);
    case 'LEASE_LOST':
      return new LeaseLostError(text('task_id'), number('lease_epoch'));
    case 'SEQUENCE_GAP':
      return new SequenceGapError(number('expected_sequence'), number('received_sequence'));
    case 'METRIC_CONFLICT':
      return new MetricConflictError(
        text('run_id'),
        text('metric'),
        number('epoch'),
        number('stored'),
        number('received'),
      );
    case 'TRAINER_UNKNOWN':
      return new TrainerUnknownError(text('trainer_id'));
    case 'ARTIFACT_MISSING':
      return new ArtifactMissingError(text('uri'));
    case 'ARTIFACT_DAMAGED':
      return new ArtifactDamagedError(text('uri'), message.replace(`${text('uri')} `, '').replace(/\.$/, ''));
    case 'SHUTTING_DOWN':
      return new ShuttingDownError();
    case 'DATABASE_UNAVAILABLE':
      return new DatabaseUnavailableError(message);
    case 'INTERNAL':
      return new InternalError(text('error_id'));
    case 'VERSION_SKEW':
      return new VersionSkewError(text('trainer_version'), text('coordinator_version'));
    case 'UNAUTHENTICATED':
      return new UnauthenticatedError(message);
    case 'PERMISSION_DENIED':
      return new PermissionDeniedError(text('method'), text('role'), text('needed_role'));
    case 'RATE_LIMITED':
      return new RateLimitedError(message, number('retry_ms'));
    case 'REPORT_REFUSED':
      return new ReportRefusedError(violations);
    case 'LEASE_NOT_HELD':
      return new LeaseNotHeldError(text('task_id'), number('lease_epoch'));
    case 'TRAINER_ID_TAKEN':
      return new TrainerIdTakenError(text('trainer_id'));
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return (
    error instanceof Error &&
    typeof (error as Partial<ServiceError>).code === 'number' &&
    typeof (error as Partial<ServiceError>).details === 'string' &&
    (error as Partial<ServiceError>).metadata instanceof Metadata
  );
}

function codeName(code: number): StatusCodeName {
  return (status[code] as StatusCodeName | undefined) ?? 'UNKNOWN';
}
