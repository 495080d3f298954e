/**
 * Consequence of a failed request.
 *
 * - UNAVAILABLE: the server, or something in front of it, currently serves no client, or refuses ours. Waiting may
 *   help; any other request would fail as well.
 * - FAILED: this request failed and may succeed later; another one may succeed now.
 * - REFUSED: the same request will always be refused.
 */
export type FailureKind = 'UNAVAILABLE' | 'FAILED' | 'REFUSED';

/** Thrown when a request to MLflow fails. */
export class MlflowError extends Error {
  override readonly name = 'MlflowError';
  readonly kind: FailureKind;
  /** MLflow's code (INVALID_PARAMETER_VALUE), or UNREACHABLE, TIMEOUT, HTTP_502, ARTIFACT_STORE. */
  readonly code: string;
  /** Delay that the server requests, in milliseconds; null if it states none. */
  readonly retryAfterMs: number | null;

  constructor(
    kind: FailureKind,
    code: string,
    message: string,
    options: { readonly retryAfterMs?: number | null; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** The parts of a response that determine its failure. */
export interface FailedAnswer {
  /** Request line, for example `POST https://mlflow.example/api/2.0/mlflow/runs/create`. */
  readonly request: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** MLflow codes (`mlflow/protos/databricks.proto`) whose meaning differs from their HTTP status. */
const KIND_OF_CODE: Readonly<Record<string, FailureKind>> = {
  ABORTED: 'FAILED',
  RESOURCE_CONFLICT: 'FAILED',
  CANCELLED: 'FAILED',
  // One experiment may be forbidden while others are allowed.
  PERMISSION_DENIED: 'FAILED',
  NOT_IMPLEMENTED: 'REFUSED',
  ENDPOINT_NOT_FOUND: 'REFUSED',
  DEADLINE_EXCEEDED: 'FAILED',
};

/** Kinds of responses without an MLflow code: from a proxy, a wrong address, a login page. */
const KIND_OF_STATUS: Readonly<Record<number, FailureKind>> = {
  400: 'FAILED',
  409: 'FAILED',
  // Too large for a proxy in front of the server.
  413: 'REFUSED',
  414: 'REFUSED',
  431: 'REFUSED',
  500: 'FAILED',
};

/** Statuses that concern the server or our credentials, independent of the request. */
const UNAVAILABLE_STATUSES: ReadonlySet<number> = new Set([401, 407, 408, 429, 502, 503, 504]);

/** Converts a response that is not successful, or not JSON where JSON was expected, into an error. */
export function errorOfAnswer(answer: FailedAnswer, nowMs: number): MlflowError {
  const { request, status, headers, body } = answer;
  const said = parseError(headers['content-type'], body);
  const retryAfterMs = parseRetryAfter(headers['retry-after'], nowMs);
  if (said !== null) {
    const kind = KIND_OF_CODE[said.code] ?? kindOfStatus(status);
    return new MlflowError(kind, said.code, `${request} answered ${status} ${said.code}: ${said.message}`, {
      retryAfterMs,
    });
  }
  const kind = KIND_OF_STATUS[status] ?? 'UNAVAILABLE';
  const type = headers['content-type'] ?? 'no content type';
  const start = body.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
  const location = headers['location'] === undefined ? '' : ` to ${headers['location']}`;
  const message = `${request} returned ${status}${location} with ${type} instead of JSON: ${start.slice(0, 200).trim()}`;
  return new MlflowError(kind, `HTTP_${status}`, `${message}${hintOf(status)}`, { retryAfterMs });
}

function kindOfStatus(status: number): FailureKind {
  if (UNAVAILABLE_STATUSES.has(status)) return 'UNAVAILABLE';
  return status >= 500 ? 'FAILED' : 'REFUSED';
}

function hintOf(status: number): string {
  if (status === 401) return ' Check GRAFT_MLFLOW_USERNAME and GRAFT_MLFLOW_PASSWORD, or GRAFT_MLFLOW_TOKEN.';
  if (status === 403) return " Check the credentials, and the server's --allowed-hosts (MLflow 3.5 and later).";
  if (status === 413) return ' Allow larger bodies in the proxy in front of MLflow.';
  return status < 400 || status === 404 ? ' Check GRAFT_MLFLOW_TRACKING_URI.' : '';
}

function parseError(
  type: string | undefined,
  body: string,
): { readonly code: string; readonly message: string } | null {
  if (type?.includes('json') !== true) return null;
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || !('error_code' in value)) return null;
    const message = 'message' in value ? String(value.message) : '';
    return { code: String(value.error_code), message: message.slice(0, 2000) };
  } catch {
    return null;
  }
}

const MAX_RETRY_AFTER_MS = 3_600_000;

/** Parses Retry-After, seconds or a date (RFC 9110), into milliseconds; at most an hour. */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | null {
  if (text === undefined || text.trim() === '') return null;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}
