import { z } from 'zod';
import { ConfigError } from './read-config.ts';
import { Secret } from './secret.ts';
import { switchedOn } from './setting.ts';
import type { Settings, ValuesOf } from './setting.ts';

/** The connection of a client (the CLI, a trainer) to coordinators. */
export interface ConnectionConfig {
  /** null: no TLS. */
  readonly tls: ClientTls | null;
  readonly token: TokenConfig | null;
  /** True: the token may be sent over an unencrypted connection to another machine. */
  readonly isInsecureAllowed: boolean;
}

export interface ClientTls {
  /** Path of a PEM file; `public`: the well-known authorities of Node. */
  readonly ca: string;
  /** Client certificate and key for mutual TLS; null: none. */
  readonly identity: { readonly certificate: string; readonly key: string } | null;
  /** Name in the coordinator's certificate; null: the host of the address. */
  readonly serverName: string | null;
}

export type TokenConfig = { readonly value: Secret } | { readonly file: string };

/** `graft_` and 32 random bytes as base64url. */
export const TOKEN_PATTERN = /^graft_[A-Za-z0-9_-]{43}$/;

/** Settings of every client: the CLI and trainers. */
export const CONNECTION_SETTINGS = {
  GRAFT_TLS_CA: {
    schema: z.string(),
    unset: 'no TLS',
    help: 'PEM file of the authorities to trust, or `public` for the well-known ones; turns TLS on',
  },
  GRAFT_TLS_CERT: {
    schema: z.string(),
    unset: 'none',
    help: 'PEM file of the client certificate, for coordinators that require one',
  },
  GRAFT_TLS_KEY: { schema: z.string(), unset: 'none', help: 'PEM file of the private key of GRAFT_TLS_CERT' },
  GRAFT_TLS_SERVER_NAME: {
    schema: z.string().regex(/^[A-Za-z0-9.-]+$/, 'must be a host name'),
    unset: 'host of the address',
    help: "name in the coordinator's certificate, if it differs from the address",
  },
  GRAFT_TOKEN: { schema: z.string(), unset: 'none', help: 'token that `graft token create` printed' },
  GRAFT_TOKEN_FILE: {
    schema: z.string(),
    unset: 'none',
    help: 'file that holds the token instead; read again when it changes',
  },
  GRAFT_INSECURE: {
    schema: switchedOn,
    default: 'off',
    help: 'on: the token may be sent to another machine without TLS',
  },
} satisfies Settings;

type Read = ValuesOf<typeof CONNECTION_SETTINGS>;

/** Returns the connection. @throws ConfigError with every problem; its message never contains a token. */
export function connectionConfigOf(read: Read): ConnectionConfig {
  const problems: string[] = [];
  const { GRAFT_TLS_CA: ca, GRAFT_TLS_CERT: certificate, GRAFT_TLS_KEY: key, GRAFT_TOKEN: token } = read;
  if ((certificate === undefined) !== (key === undefined)) {
    const [missing, given] = certificate === undefined ? ['CERT', 'KEY'] : ['KEY', 'CERT'];
    problems.push(`GRAFT_TLS_${missing}: must be set together with GRAFT_TLS_${given}. Received: nothing.`);
  }
  if (ca === undefined && (certificate !== undefined || read.GRAFT_TLS_SERVER_NAME !== undefined)) {
    problems.push('GRAFT_TLS_CA: must be set for TLS, to a PEM file or `public`. Received: nothing.');
  }
  if (token !== undefined && read.GRAFT_TOKEN_FILE !== undefined) {
    problems.push('GRAFT_TOKEN: must not be set together with GRAFT_TOKEN_FILE; keep one of the two.');
  }
  if (token !== undefined && !TOKEN_PATTERN.test(token)) {
    problems.push(`GRAFT_TOKEN: must be a token as \`graft token create\` prints it. ${describeWrongToken(token)}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    tls: ca === undefined ? null : tlsOf(ca, read),
    token: tokenOf(token, read.GRAFT_TOKEN_FILE),
    isInsecureAllowed: read.GRAFT_INSECURE === 'on',
  };
}

/** Returns a description of an invalid token that does not reveal it. */
export function describeWrongToken(text: string): string {
  return `Received: ${text.length} characters${text.startsWith('graft_') ? '' : ' that do not begin with graft_'}; a token has 49.`;
}

function tlsOf(ca: string, read: Read): ClientTls {
  const { GRAFT_TLS_CERT: certificate, GRAFT_TLS_KEY: key, GRAFT_TLS_SERVER_NAME: serverName = null } = read;
  return { ca, identity: certificate !== undefined && key !== undefined ? { certificate, key } : null, serverName };
}

function tokenOf(value: string | undefined, file: string | undefined): TokenConfig | null {
  if (value !== undefined) return { value: new Secret(value) };
  return file === undefined ? null : { file };
}
