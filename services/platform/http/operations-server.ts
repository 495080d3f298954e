import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { splitListenAddress } from '../config/listen-address.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/**
 * Time limit of the readiness check in milliseconds: longer than any healthy check, shorter than the probes' own limit.
 */
const READY_TIMEOUT_MS = 2_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Maximum number of connections. Scrapers and probes are few, so more are a mistake or an attack. */
const MAX_CONNECTIONS = 64;

export interface OperationsServerOptions {
  /** `host:port`; port 0 selects any free one. */
  readonly listen: string;
  readonly metrics: Metrics;
  /** Returns null if ready, otherwise the reason. The reason is public to everyone who can reach the port. */
  readonly whyNotReady: () => Promise<string | null> | string | null;
  readonly log: Logger;
}

/** A running operations server. */
export interface OperationsServer extends AsyncDisposable {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Serves HTTP for operators and Kubernetes on a separate port: `/metrics` (Prometheus), `/healthz` (the process
 * replies), `/readyz` (it can do its work; otherwise 503 with the reason). There is neither authentication nor TLS: no
 * response names a sweep or a person, and the port belongs behind a network policy.
 *
 * @throws {Error} when the address can't be listened on.
 */
export async function startOperationsServer(options: OperationsServerOptions): Promise<OperationsServer> {
  const { host, port } = splitListenAddress(options.listen);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      options.log.error({ err: error, path: request.url }, 'operations request failed');
      if (response.headersSent) response.destroy();
      else send(response, 500, 'failed; see the log\n');
    });
  });
  server.listen({ host, port });
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  options.log.info({ host, port: bound }, 'operations port: /metrics, /healthz, /readyz');
  const stop = (): Promise<void> => close(server);
  return { port: bound, stop, [Symbol.asyncDispose]: stop };
}

async function answer(
  options: OperationsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    send(response, 405, 'only GET and HEAD are allowed\n');
    return;
  }
  switch (request.url?.split('?', 1)[0]) {
    case '/healthz':
      send(response, 200, 'ok\n');
      return;
    case '/readyz': {
      const reason = await within(READY_TIMEOUT_MS, Promise.resolve(options.whyNotReady()));
      send(response, reason === null ? 200 : 503, reason === null ? 'ready\n' : `not ready: ${reason}\n`);
      return;
    }
    case '/metrics': {
      const text = await options.metrics.text();
      response.setHeader('content-type', options.metrics.contentType);
      send(response, 200, text);
      return;
    }
    default:
      send(response, 404, 'not found; available: /metrics, /healthz and /readyz\n');
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.end(text);
}

async function within(ms: number, work: Promise<string | null>): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no response within ${ms / 1_000} s`), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
