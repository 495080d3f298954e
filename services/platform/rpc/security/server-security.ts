import { experimental, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from '../../telemetry/logger.ts';
import { CertificateFiles } from './certificate-files.ts';
import type { NamedFile } from './certificate-files.ts';

/** What a server shows and asks for. */
export interface ServerTls {
  readonly certificate: NamedFile;
  readonly key: NamedFile;
  /** Clients must show a certificate of one of these authorities (mutual TLS); null: they need none. */
  readonly clientCa: NamedFile | null;
}

/** How a server's connections are guarded. */
export interface ServerSecurity {
  readonly credentials: ServerCredentials;
  /** Until when the certificate is good that is shown now; null: without TLS. */
  readonly certificateExpires: () => Date | null;
}

/**
 * Credentials of a server that follow their files (see `CertificateFiles`); without TLS for null.
 *
 * @throws ConfigError that names the setting and the file of every mistake.
 */
export function serverSecurity(tls: ServerTls | null, log: Logger): ServerSecurity {
  if (tls === null) return { credentials: ServerCredentials.createInsecure(), certificateExpires: () => null };
  const { certificate, key, clientCa } = tls;
  const files = new CertificateFiles({ identity: { certificate, key }, ca: clientCa, log });
  // The declaration of grpc-js 1.14.7 calls the first parameter the authorities'; the code takes the identity's first.
  const credentials = experimental.createCertificateProviderServerCredentials(
    files,
    clientCa && files,
    clientCa !== null,
  );
  return { credentials, certificateExpires: () => files.expires };
}
