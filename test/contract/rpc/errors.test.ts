import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  ArtifactDamagedError,
  ArtifactMissingError,
  DatabaseUnavailableError,
  ERROR_REASONS,
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
} from '../../../services/core/errors.ts';
import { LeaseNotHeldError, ReportRefusedError, TrainerIdTakenError } from '../../../services/core/trainer-errors.ts';
import type { GraftError } from '../../../services/core/errors.ts';
import { fromServiceError, isUnavailable, RpcError, toServiceError } from '../../../services/platform/rpc/errors.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '../../../proto/gen/google/rpc/error_details.ts';
import { Status } from '../../../proto/gen/google/rpc/status.ts';

const ALL: readonly (readonly [GraftError, status])[] = [
  [
    new InvalidRequestError([
      { field: 'max_runs', description: 'must be at least 1; received −3.' },
      { field: 'parameters[2].range.min', description: 'must be below max.' },
    ]),
    status.INVALID_ARGUMENT,
  ],
  [new NotFoundError('sweep', 's1'), status.NOT_FOUND],
  [new RequestIdReusedError('q1'), status.ALREADY_EXISTS],
  [new IllegalStateError('sweep s1', 'FAILED', 'pause', ['ACTIVE']), status.FAILED_PRECONDITION],
  [new LeaseLostError('t1', 3), status.FAILED_PRECONDITION],
  [new SequenceGapError(4, 7), status.FAILED_PRECONDITION],
  [new MetricConflictError('r1', 'loss', 2, 0.5, Number.NaN), status.DATA_LOSS],
  [new TrainerUnknownError('trainer-1'), status.FAILED_PRECONDITION],
  [new ArtifactMissingError('checkpoints/c1'), status.NOT_FOUND],
  [new ShuttingDownError(), status.UNAVAILABLE],
  [new DatabaseUnavailableError('connection refused'), status.UNAVAILABLE],
  [new InternalError('abc123'), status.INTERNAL],
  [new UnauthenticatedError('The token was revoked.'), status.UNAUTHENTICATED],
  [new PermissionDeniedError('CreateSweep', 'VIEWER', 'SUBMITTER'), status.PERMISSION_DENIED],
  [new RateLimitedError('At most 50 calls a second.', 1_500), status.RESOURCE_EXHAUSTED],
  [new VersionSkewError('0.3.0', '0.1.0'), status.FAILED_PRECONDITION],
  [
    new ReportRefusedError([{ field: 'epochs[0].epoch', description: 'must be 1 to 3; received 9.' }]),
    status.INVALID_ARGUMENT,
  ],
  [new LeaseNotHeldError('t1', 3), status.PERMISSION_DENIED],
  [new TrainerIdTakenError('trainer-1'), status.PERMISSION_DENIED],
  [new ArtifactDamagedError('checkpoints/c1', 'of checkpoint k1 has another digest'), status.DATA_LOSS],
];

function detailsOf(error: { metadata: Metadata }) {
  return Status.decode(error.metadata.get('grpc-status-details-bin')[0] as Buffer);
}

describe('errors over gRPC', () => {
  it('are tested for each reason', () => {
    expect(ALL.map(([error]) => error.reason)).toEqual([...ERROR_REASONS]);
  });

  it.each(ALL)('%s is received as the same class with the same fields', (error, code) => {
    const sent = toServiceError(error);
    expect(sent.code).toBe(code);
    const received = fromServiceError(sent);
    expect(received).toBeInstanceOf(error.constructor);
    expect(Object.entries(received)).toEqual(Object.entries(error));
    expect(received.message).toBe(error.message);
  });

  it('carry google.rpc details that any client can read', () => {
    const [error] = ALL[0] as (typeof ALL)[number];
    const sent = toServiceError(error);
    const { code, message, details } = detailsOf(sent);
    expect(code).toBe(status.INVALID_ARGUMENT);
    expect(message).toBe(sent.details);
    expect(details.map(({ typeUrl }) => typeUrl)).toEqual([
      'type.googleapis.com/google.rpc.ErrorInfo',
      'type.googleapis.com/google.rpc.BadRequest',
    ]);
    expect(ErrorInfo.decode(details[0]?.value as Buffer)).toMatchObject({ reason: 'INVALID_REQUEST', domain: 'graft' });
    expect(BadRequest.decode(details[1]?.value as Buffer).fieldViolations[1]).toEqual({
      field: 'parameters[2].range.min',
      description: 'must be below max.',
    });
  });

  it('of a limit carry the retry delay for any client', () => {
    const { details } = detailsOf(toServiceError(new RateLimitedError('At most 50 calls a second.', 1_500)));
    expect(details.map(({ typeUrl }) => typeUrl)).toEqual([
      'type.googleapis.com/google.rpc.ErrorInfo',
      'type.googleapis.com/google.rpc.RetryInfo',
    ]);
    expect(RetryInfo.decode(details[1]?.value as Buffer).retryDelay).toEqual({ seconds: 1n, nanos: 500_000_000 });
  });

  it('stay below 8 KiB of trailers for any number of mistakes', () => {
    const violations = Array.from({ length: 500 }, (_, index) => ({
      field: `parameters[${index}].values`,
      description: 'ü'.repeat(200),
    }));
    const sent = toServiceError(new InvalidRequestError(violations));
    const base64 = (sent.metadata.get('grpc-status-details-bin')[0] as Buffer).toString('base64');
    expect(base64.length + encodeURI(sent.details).length).toBeLessThan(8 * 1024 - 300);
    const received = fromServiceError(sent);
    const kept = received instanceof InvalidRequestError ? received.violations : [];
    expect(kept.length).toBeGreaterThan(3);
    expect(kept.at(-1)?.description).toMatch(/^\d+ more mistakes/);
  });

  it('of our own are sent to clients; others get an identity that is also in the log', () => {
    const cause = new TypeError('password is hunter2');
    let logged: { errorId: string; cause: unknown } | null = null;
    const sent = toServiceError(cause, (errorId, error) => (logged = { errorId, cause: error }));
    const received = fromServiceError(sent);
    expect(sent.code).toBe(status.INTERNAL);
    expect(sent.message).not.toContain('hunter2');
    expect(logged).toEqual({ errorId: received instanceof InternalError ? received.errorId : null, cause });
  });

  it('of the transport become RpcError', () => {
    const error = Object.assign(new Error('14 UNAVAILABLE: no connection'), {
      code: status.UNAVAILABLE,
      details: 'no connection',
      metadata: new Metadata(),
    });
    expect(fromServiceError(error)).toBeInstanceOf(RpcError);
    expect(fromServiceError(error)).toMatchObject({ code: 'UNAVAILABLE', details: 'no connection' });
    expect(isUnavailable(fromServiceError(error))).toBe(true);
    expect(isUnavailable(new LeaseLostError('t', 1))).toBe(false);
    expect(isUnavailable(new ShuttingDownError())).toBe(true);
  });

  it('with unreadable details are still errors', () => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
    const error = Object.assign(new Error('x'), { code: status.UNKNOWN, details: 'x', metadata });
    expect(fromServiceError(error)).toMatchObject({ name: 'RpcError', code: 'UNKNOWN' });
  });
});
