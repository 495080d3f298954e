import { z } from 'zod';
import { splitListenAddress } from '../platform/config/listen-address.ts';
import { ConfigError } from '../platform/config/read-config.ts';
import { isLoopbackHost } from '../platform/net/loopback.ts';
import type { ServerTls } from '../platform/rpc/security/server-security.ts';

/** How a coordinator guards its gRPC port. */
export interface SecurityConfig {
  /** null: no TLS. */
  readonly tls: ServerTls | null;
  /** Whether calls need a token. */
  readonly needsTokens: boolean;
  /** Of one token, where tokens are needed. */
  readonly callsPerSecond: number;
  readonly openCalls: number;
}

const wholeNumber = (max: number) => z.coerce.number({ error: 'must be a whole number' }).int().min(1).max(max);

/** Part of the coordinator's schema. */
export const SECURITY_SETTINGS = {
  GRAFT_COORDINATOR_TLS_CERT: z.string().optional(),
  GRAFT_COORDINATOR_TLS_KEY: z.string().optional(),
  GRAFT_COORDINATOR_TLS_CLIENT_CA: z.string().optional(),
  GRAFT_COORDINATOR_TOKENS: z.enum(['on', 'off'], { error: 'must be on or off' }).optional(),
  GRAFT_COORDINATOR_CALLS_PER_SECOND: wholeNumber(1_000_000).default(1_000),
  GRAFT_COORDINATOR_OPEN_CALLS: wholeNumber(1_000_000).default(2_000),
  GRAFT_COORDINATOR_INSECURE: z.enum(['on', 'off'], { error: 'must be on or off' }).default('off'),
};

/** For `--help`. */
export const SECURITY_HELP = `  GRAFT_COORDINATOR_TLS_CERT, GRAFT_COORDINATOR_TLS_KEY
                                   PEM files of certificate (intermediate ones after it) and private key: gRPC with TLS. They
                                   are read again when they change (no TLS)
  GRAFT_COORDINATOR_TLS_CLIENT_CA  PEM file; clients must show a certificate of one of these authorities (they need none)
  GRAFT_COORDINATOR_TOKENS         on: every call needs a token from \`graft token create\` (on with TLS, otherwise off)
  GRAFT_COORDINATOR_CALLS_PER_SECOND
                                   what one token may call; twice as much at once (1000)
  GRAFT_COORDINATOR_OPEN_CALLS     streams and waiting calls that one token may have open (2000)
  GRAFT_COORDINATOR_INSECURE       on: may listen beyond loopback without TLS or tokens: whoever reaches the port may do everything
                                   (off)
`;

type Read = z.infer<z.ZodObject<typeof SECURITY_SETTINGS>>;

/**
 * @param listen `host:port` of the gRPC port.
 * @throws ConfigError for mistakes, and for a port that others reach and that is not guarded.
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
