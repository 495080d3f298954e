import { z } from 'zod';
import { splitListenAddress } from '../platform/config/listen-address.ts';
import { ConfigError } from '../platform/config/read-config.ts';
import { integer, switchedOn } from '../platform/config/setting.ts';
import type { Settings, ValuesOf } from '../platform/config/setting.ts';
import { isLoopbackHost } from '../platform/net/loopback.ts';
import type { ServerTls } from '../platform/rpc/security/server-security.ts';

/** The protection of a coordinator's gRPC port. */
export interface SecurityConfig {
  /** null: no TLS. */
  readonly tls: ServerTls | null;
  /** True: every call needs a token. */
  readonly needsTokens: boolean;
  /** Calls per second of one token, when tokens are needed. */
  readonly callsPerSecond: number;
  /** Calls that one token may have open at once, when tokens are needed. */
  readonly openCalls: number;
}

export const SECURITY_SETTINGS = {
  GRAFT_COORDINATOR_TLS_CERT: {
    schema: z.string(),
    unset: 'no TLS',
    help: 'PEM file of the certificate, followed by intermediate ones; turns TLS on; read again when it changes',
  },
  GRAFT_COORDINATOR_TLS_KEY: {
    schema: z.string(),
    unset: 'no TLS',
    help: 'PEM file of the private key of GRAFT_COORDINATOR_TLS_CERT; read again when it changes',
  },
  GRAFT_COORDINATOR_TLS_CLIENT_CA: {
    schema: z.string(),
    unset: 'clients need no certificate',
    help: 'PEM file of authorities; clients must present a certificate that one of them signed',
  },
  GRAFT_COORDINATOR_TOKENS: {
    schema: switchedOn,
    unset: 'on with TLS, else off',
    help: 'on: every call needs a token from `graft token create`',
  },
  GRAFT_COORDINATOR_CALLS_PER_SECOND: {
    schema: integer(1, 1_000_000),
    default: 1_000,
    help: 'calls per second allowed to one token, in bursts of up to twice as many',
  },
  GRAFT_COORDINATOR_OPEN_CALLS: {
    schema: integer(1, 1_000_000),
    default: 2_000,
    help: 'streams and waiting calls that one token may have open at once',
  },
  GRAFT_COORDINATOR_INSECURE: {
    schema: switchedOn,
    default: 'off',
    help: 'on: may listen beyond loopback without TLS or tokens; any client that reaches the port may then do everything',
  },
} satisfies Settings;

type Read = ValuesOf<typeof SECURITY_SETTINGS>;

/**
 * Returns the protection of the gRPC port.
 *
 * @param listen `host:port` of the gRPC port.
 * @throws ConfigError for incomplete TLS settings, and for a port that other machines reach without TLS and tokens.
 */
export function securityConfigOf(read: Read, listen: string): SecurityConfig {
  const tls = tlsOf(read);
  const tokens = read.GRAFT_COORDINATOR_TOKENS ?? (tls === null ? 'off' : 'on');
  const security = {
    tls,
    needsTokens: tokens === 'on',
    callsPerSecond: read.GRAFT_COORDINATOR_CALLS_PER_SECOND,
    openCalls: read.GRAFT_COORDINATOR_OPEN_CALLS,
  };
  if (read.GRAFT_COORDINATOR_INSECURE === 'off') refuseOpenPort(security, listen);
  return security;
}

function refuseOpenPort({ tls, needsTokens }: SecurityConfig, listen: string): void {
  if (isLoopbackHost(splitListenAddress(listen).host) || (tls !== null && needsTokens)) return;
  const missing = [
    ...(tls === null ? ['TLS (set GRAFT_COORDINATOR_TLS_CERT and GRAFT_COORDINATOR_TLS_KEY)'] : []),
    ...(needsTokens ? [] : ['tokens (set GRAFT_COORDINATOR_TOKENS=on)']),
  ];
  throw new ConfigError([
    `GRAFT_COORDINATOR_LISTEN: ${listen} can be reached from other machines, which needs ${missing.join(' and ')}. ` +
      'Listen on 127.0.0.1 for this machine alone, or allow it with --insecure or GRAFT_COORDINATOR_INSECURE=on.',
  ]);
}

function tlsOf(read: Read): ServerTls | null {
  const {
    GRAFT_COORDINATOR_TLS_CERT: certificate,
    GRAFT_COORDINATOR_TLS_KEY: key,
    GRAFT_COORDINATOR_TLS_CLIENT_CA: clientCa,
  } = read;
  if (certificate === undefined && key === undefined && clientCa === undefined) return null;
  if (certificate === undefined || key === undefined) {
    const missing = certificate === undefined ? 'CERT' : 'KEY';
    throw new ConfigError([
      `GRAFT_COORDINATOR_TLS_${missing}: TLS needs a certificate and its private key. Received: nothing.`,
    ]);
  }
  return {
    certificate: { path: certificate, setting: 'GRAFT_COORDINATOR_TLS_CERT' },
    key: { path: key, setting: 'GRAFT_COORDINATOR_TLS_KEY' },
    clientCa: clientCa === undefined ? null : { path: clientCa, setting: 'GRAFT_COORDINATOR_TLS_CLIENT_CA' },
  };
}
