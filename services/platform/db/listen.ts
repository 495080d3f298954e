import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { openClient } from './database-client.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { OutageLog } from './outage-log.ts';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
const PING_INTERVAL_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;

export interface ListenOptions {
  readonly log: Logger;
  /** Records connections that are lost with the server. */
  readonly outage?: OutageLog;
  /**
   * Called whenever listening starts or resumes. Earlier notifications are lost, so the caller must query for changes
   * here.
   */
  readonly onConnect?: () => void;
  /** Interval between two pings, in milliseconds; default 30 000. */
  readonly pingIntervalMs?: number;
  /** Time limit of a ping, in milliseconds; default 10 000. */
  readonly pingTimeoutMs?: number;
}

export interface Listener extends AsyncDisposable {
  /** Resolves when the channel is listened to for the first time, or when the listener is closed before that. */
  readonly ready: Promise<void>;
  /** Stops listening; `onNotify` is not called afterwards. Further calls do nothing. */
  close(): Promise<void>;
}

/**
 * Listens to a NOTIFY channel over a dedicated connection. A lost connection is reopened after 0.1 s, doubling up to 10
 * s. A silently dead connection is detected by a ping.
 *
 * @param source connection string, or a pool whose settings are used.
 * @param onNotify receives the payload; the empty string if there is none.
 */
export function listen(
  source: string | pg.Pool,
  channel: string,
  onNotify: (payload: string) => void,
  options: ListenOptions,
): Listener {
  const { log } = options;
  const controller = new AbortController();
  const { signal } = controller;
  let markReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });

  async function run(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    while (!ended(signal)) {
      try {
        await listenOnce(source, channel, signal, {
          onNotify,
          onConnect: () => {
            delayMs = FIRST_DELAY_MS;
            markReady();
            options.onConnect?.();
          },
          pingIntervalMs: options.pingIntervalMs ?? PING_INTERVAL_MS,
          pingTimeoutMs: options.pingTimeoutMs ?? PING_TIMEOUT_MS,
        });
      } catch (error) {
        if (ended(signal)) break;
        if (options.outage?.recordError(error) !== true) {
          log.warn({ err: error, channel, delay_ms: delayMs }, 'notifications lost; connecting again');
        }
      }
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      delayMs = Math.min(MAX_DELAY_MS, delayMs * 2);
    }
  }

  const running = run().finally(() => markReady());
  const close = async (): Promise<void> => {
    controller.abort();
    await running;
  };
  return { ready, close, [Symbol.asyncDispose]: close };
}

interface Hooks {
  readonly onNotify: (payload: string) => void;
  readonly onConnect: () => void;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

/** Runs one connection. Returns when `signal` aborts; throws when the connection is lost. */
async function listenOnce(
  source: string | pg.Pool,
  channel: string,
  signal: AbortSignal,
  { onNotify, onConnect, pingIntervalMs, pingTimeoutMs }: Hooks,
): Promise<void> {
  const client = await openClient(
    { ...(typeof source === 'string' ? { connectionString: source } : source.options), query_timeout: pingTimeoutMs },
    signal,
  );
  const lost = new AbortController();
  client.on('error', (error) => lost.abort(error));
  client.on('end', () => lost.abort(new Error('Connection terminated')));
  client.on('notification', (message) => {
    if (!signal.aborted && message.channel === channel) onNotify(message.payload ?? '');
  });
  const either = AbortSignal.any([signal, lost.signal]);
  try {
    await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    onConnect();
    while (!either.aborted) {
      await sleep(pingIntervalMs, undefined, { signal: either }).catch(() => undefined);
      if (!ended(either)) await client.query('SELECT 1');
    }
    if (!ended(signal)) throw lost.signal.reason;
  } finally {
    await end(client);
  }
}

/** A dead connection does not confirm the termination, so the wait for it is limited. */
async function end(client: pg.Client): Promise<void> {
  const timer = new AbortController();
  await Promise.race([
    client.end().catch(() => undefined),
    sleep(1_000, undefined, { signal: timer.signal }).catch(() => undefined),
  ]);
  timer.abort();
}

/** A function instead of the property, because the compiler assumes that a property once false stays false. */
function ended(signal: AbortSignal): boolean {
  return signal.aborted;
}
