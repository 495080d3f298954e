import { rootCertificates } from 'node:tls';
import { EnvHttpProxyAgent, request } from 'undici';
import type { Dispatcher } from 'undici';
import { errorOfAnswer, MlflowError } from './mlflow-error.ts';

/** Address and credentials of an MLflow server. */
export interface MlflowServer {
  /** `http(s)://host:port`, with a path if a proxy or `--static-prefix` adds one; without a trailing slash. */
  readonly trackingUri: string;
  readonly auth:
    | { readonly kind: 'none' }
    | { readonly kind: 'basic'; readonly username: string; readonly password: string }
    | { readonly kind: 'bearer'; readonly token: string };
  /** PEM certificates that are trusted in addition to the well-known ones. */
  readonly ca: string | null;
  /** Time limit of a response in milliseconds; uploads get ten times as long. */
  readonly timeoutMs: number;
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Path below the tracking URI, for example `/api/2.0/mlflow/runs/create`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Body that is sent as JSON. */
  readonly json?: unknown;
  /** Body that is sent unchanged with its content type. */
  readonly file?: { readonly body: Uint8Array; readonly contentType: string };
}

const UPLOAD_TIMEOUTS = 10;
/** Maximum number of connections. One sender writes to one run at a time, and a few runs are written in parallel. */
const MAX_CONNECTIONS = 8;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** HTTP to one MLflow server. There are no retries here: only the caller knows which requests are idempotent. */
export class MlflowTransport implements AsyncDisposable {
  readonly #server: MlflowServer;
  readonly #dispatcher: Dispatcher;
  readonly #authorization: string | null;

  constructor(server: MlflowServer) {
    this.#server = server;
    this.#dispatcher = new EnvHttpProxyAgent({
      connections: MAX_CONNECTIONS,
      // undici's own limits would apply first; ours covers the whole request.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: server.timeoutMs,
        ...(server.ca === null ? {} : { ca: [...rootCertificates, server.ca] }),
      },
    });
    this.#authorization = authorizationOf(server);
  }

  /**
   * Sends a request.
   * @returns the parsed JSON of a 2xx response; `{}` if it has no body.
   * @throws {MlflowError} when the request fails; the signal's reason when aborted.
   */
  async send(asked: TransportRequest, signal: AbortSignal): Promise<unknown> {
    const url = new URL(`${this.#server.trackingUri}${asked.path}`);
    for (const [name, value] of Object.entries(asked.query ?? {})) url.searchParams.set(name, value);
    const title = `${asked.method} ${url.origin}${url.pathname}`;
    const timeoutMs = this.#server.timeoutMs * (asked.file === undefined ? 1 : UPLOAD_TIMEOUTS);
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, {
        dispatcher: this.#dispatcher,
        method: asked.method,
        headers: this.#headers(asked),
        body: asked.file?.body ?? (asked.json === undefined ? null : JSON.stringify(asked.json)),
        signal: AbortSignal.any([signal, timeout]),
      });
      const body = await readText(answer.body, title);
      return readAnswer(title, answer, body);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof MlflowError) throw error;
      if (timeout.aborted) {
        throw new MlflowError('UNAVAILABLE', 'TIMEOUT', `${title} had no response within ${timeoutMs} ms.`, {
          cause: error,
        });
      }
      throw new MlflowError('UNAVAILABLE', 'UNREACHABLE', `${title} failed: ${reasonOf(error)}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy();
  }

  #headers({ json, file }: TransportRequest): Record<string, string> {
    return {
      accept: 'application/json',
      'user-agent': 'graft',
      ...(this.#authorization === null ? {} : { authorization: this.#authorization }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(file === undefined ? {} : { 'content-type': file.contentType }),
    };
  }
}

function authorizationOf({ auth }: MlflowServer): string | null {
  switch (auth.kind) {
    case 'none':
      return null;
    case 'basic':
      return `Basic ${Buffer.from(`${auth.username}:${auth.password}`, 'utf8').toString('base64')}`;
    case 'bearer':
      return `Bearer ${auth.token}`;
  }
}

async function readText(body: AsyncIterable<Buffer>, title: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new MlflowError('FAILED', 'ANSWER_TOO_LONG', `${title} returned more than ${MAX_ANSWER_BYTES} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function readAnswer(title: string, answer: Dispatcher.ResponseData, body: string): unknown {
  const { statusCode } = answer;
  const isSuccess = statusCode >= 200 && statusCode < 300;
  // An upload may be answered without a body. A body that is not JSON is a login page or the like, whatever its status.
  if (isSuccess && body.trim() === '') return {};
  if (isSuccess && String(answer.headers['content-type']).includes('json')) {
    try {
      return JSON.parse(body) as unknown;
    } catch {
      // Truncated: handled as a response that is not JSON.
    }
  }
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
  throw errorOfAnswer({ request: title, status: statusCode, headers, body }, Date.now());
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return [code, error.message].filter((part) => part !== '').join(': ');
}
