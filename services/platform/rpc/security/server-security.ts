import { experimental, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '../../telemetry/logger.ts';
import { CertificateFiles } from './certificate-files.ts';
import type { NamedFile } from './certificate-files.ts';

/** Certificates of a server and the authorities of its clients. */
export interface ServerTls {
  readonly certificate: NamedFile;
  readonly key: NamedFile;
  /** Clients must show a certificate of one of these authorities (mutual TLS); null: they need none. */
  readonly clientCa: NamedFile | null;
}

/** Credentials of a server's connections. */
export interface ServerSecurity {
  readonly credentials: ServerCredentials;
  /** Expiry of the current certificate; null: without TLS. */
  readonly certificateExpires: () => Date | null;
}

/**
 * Creates credentials that follow their files (see `CertificateFiles`); null: without TLS.
 *
 * @throws ConfigError naming the setting and the file of every mistake.
 */
export function serverSecurity(tls: ServerTls | null, log: Logger): ServerSecurity {
  if (tls === null) return { credentials: ServerCredentials.createInsecure(), certificateExpires: () => null };
  const { certificate, key, clientCa } = tls;
  const files = new CertificateFiles({ identity: { certificate, key }, ca: clientCa, log });
  // The declaration of grpc-js 1.14.7 names the authorities first; its code expects the identity first.
  const credentials = experimental.createCertificateProviderServerCredentials(
    files,
    clientCa && files,
    clientCa !== null,
  );
  return { credentials, certificateExpires: () => files.expires };
}
