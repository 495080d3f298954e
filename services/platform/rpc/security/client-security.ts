import { rootCertificates } from 'node:tls';
import { credentials, experimental } from '@grpc/grpc-js';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { ClientTls, ConnectionConfig } from '../../config/connection-settings.ts';
import { ConfigError } from '../../config/read-config.ts';
import { isLocalAddress } from '../../net/loopback.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { CertificateFiles } from './certificate-files.ts';
import { tokenSource } from './token-source.ts';
import type { TokenSource } from './token-source.ts';

/** Credentials of a client's connections and calls. */
export interface ClientSecurity {
  readonly credentials: ChannelCredentials;
  readonly channelOptions: ChannelOptions;
  readonly token: TokenSource;
}

/**
 * Creates the credentials of a client; certificates and token follow their files.
 *
 * @param addresses from `parseAddresses`.
 * @throws ConfigError for unusable files, and if a token would be sent unencrypted to another machine.
 */
export function clientSecurity(config: ConnectionConfig, addresses: readonly string[], log: Logger): ClientSecurity {
  const { tls, token, isInsecureAllowed } = config;
  const serverName = tls?.serverName ?? null;
  if (tls === null && token !== null && !isInsecureAllowed) refuseReadableToken(addresses);
  return {
    credentials: tls === null ? credentials.createInsecure() : tlsCredentials(tls, log),
    channelOptions: serverName === null ? {} : { 'grpc.ssl_target_name_override': serverName },
    token: tokenSource(token, log),
  };
}

function refuseReadableToken(addresses: readonly string[]): void {
  const remote = addresses.find((address) => !isLocalAddress(address));
  if (remote === undefined) return;
  throw new ConfigError([
    `GRAFT_TLS_CA: is needed, because the token would be sent unencrypted to ${remote}. Set it to the file of the ` +
      'authority that signed the coordinator’s certificate, or to `public`; or allow it with --insecure or GRAFT_INSECURE=on.',
  ]);
}

function tlsCredentials({ ca, identity }: ClientTls, log: Logger): ChannelCredentials {
  const own = identity && {
    certificate: { path: identity.certificate, setting: 'GRAFT_TLS_CERT' },
    key: { path: identity.key, setting: 'GRAFT_TLS_KEY' },
  };
  const isPublic = ca === 'public';
  const files = new CertificateFiles({
    identity: own,
    ca: isPublic ? null : { path: ca, setting: 'GRAFT_TLS_CA' },
    log,
  });
  const authorities = isPublic ? PUBLIC_AUTHORITIES : files;
  return experimental.createCertificateProviderChannelCredentials(authorities, own && files);
}

/** Mozilla's list as bundled with Node; constant while a process runs. */
const PUBLIC_AUTHORITIES: experimental.CertificateProvider = {
  addCaCertificateListener: (listener) =>
    process.nextTick(listener, { caCertificate: Buffer.from(rootCertificates.join('\n')) }),
  removeCaCertificateListener: () => undefined,
  addIdentityCertificateListener: () => undefined,
  removeIdentityCertificateListener: () => undefined,
};
