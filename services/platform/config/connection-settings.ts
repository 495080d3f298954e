import { z } from 'zod';
import { ConfigError } from './read-config.ts';
import { Secret } from './secret.ts';

/** How a client (the CLI, a trainer) connects to coordinators. */
export interface ConnectionConfig {
  /** null: no TLS. */
  readonly tls: ClientTls | null;
  readonly token: TokenConfig | null;
  /** Whether the token may go over a connection that anybody between can read. */
  readonly isInsecureAllowed: boolean;
}

export interface ClientTls {
  /** A PEM file; `public`: the well-known authorities, as Node comes with them. */
  readonly ca: string;
  /** For mutual TLS; null: none is shown. */
  readonly identity: { readonly certificate: string; readonly key: string } | null;
  /** The name in the coordinator's certificate, where it is not that of the address; null: it is. */
  readonly serverName: string | null;
}

export type TokenConfig = { readonly value: Secret } | { readonly file: string };

/** `graft_` and 32 random bytes as base64url. */
export const TOKEN_PATTERN = /^graft_[A-Za-z0-9_-]{43}$/;

/** Of every client; part of its service's schema. */
export const CONNECTION_SETTINGS = {
  GRAFT_TLS_CA: z.string().optional(),
  GRAFT_TLS_CERT: z.string().optional(),
  GRAFT_TLS_KEY: z.string().optional(),
  GRAFT_TLS_SERVER_NAME: z
    .string()
    .regex(/^[A-Za-z0-9.-]+$/, 'must be a host name')
    .optional(),
  GRAFT_TOKEN: z.string().optional(),
  GRAFT_TOKEN_FILE: z.string().optional(),
  GRAFT_INSECURE: z.enum(['on', 'off'], { error: 'must be on or off' }).default('off'),
};

/** For `--help`. */
export const CONNECTION_HELP = `  GRAFT_TLS_CA                  connect with TLS; a PEM file of the authorities to trust, or \`public\` for well-known ones (no TLS)
  GRAFT_TLS_CERT, GRAFT_TLS_KEY PEM files of the certificate to show, where coordinators ask for one
  GRAFT_TLS_SERVER_NAME         the name in the coordinator's certificate, where it is not that of the address
  GRAFT_TOKEN, GRAFT_TOKEN_FILE the token from \`graft token create\`, or a file with it, which is read again when it changes
  GRAFT_INSECURE                on: the token may be sent without TLS to another machine (off)
`;

type Read = z.infer<z.ZodObject<typeof CONNECTION_SETTINGS>>;

/** @throws ConfigError with every problem; a token is never part of its text. */
export function connectionConfigOf(read: Read): ConnectionConfig {
  const problems: string[] = [];
  const { GRAFT_TLS_CA: ca, GRAFT_TLS_CERT: certificate, GRAFT_TLS_KEY: key, GRAFT_TOKEN: token } = read;
  if ((certificate === undefined) !== (key === undefined)) {
    const [missing, given] = certificate === undefined ? ['CERT', 'KEY'] : ['KEY', 'CERT'];
    problems.push(`GRAFT_TLS_${missing}: is needed beside GRAFT_TLS_${given}. Received: nothing.`);
  }
  if (ca === undefined && (certificate !== undefined || read.GRAFT_TLS_SERVER_NAME !== undefined)) {
    problems.push('GRAFT_TLS_CA: is needed for TLS: a PEM file, or `public`. Received: nothing.');
  }
  if (token !== undefined && read.GRAFT_TOKEN_FILE !== undefined) {
    problems.push('GRAFT_TOKEN: give it or GRAFT_TOKEN_FILE, not both.');
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

/** What was received, without telling it. */
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
