import type { ArtifactStore } from './artifact-store.ts';
import { DirectoryArtifactStore } from './directory-artifact-store.ts';

/** Thrown for an invalid address of an artifact store. */
class ArtifactAddressError extends Error {
  override readonly name = 'ArtifactAddressError';

  constructor(address: string) {
    super(
      `The artifact store is ${JSON.stringify(address)}, but must be a folder, or s3://<bucket> or s3://<bucket>/<prefix> ` +
        'with a bucket name of 3 to 63 lowercase letters, digits, dots and dashes.',
    );
  }
}

export interface S3Address {
  readonly bucket: string;
  readonly prefix: string;
}

/** Rule for configuration errors, matching `isArtifactAddress`. */
export const ARTIFACT_ADDRESS_RULE = 'must be a folder, or s3://<bucket>/<prefix>';

export function isArtifactAddress(text: string): boolean {
  try {
    parseS3Address(text);
    return true;
  } catch {
    return false;
  }
}

/** Parses an S3 address; null if the address is a folder. Throws {ArtifactAddressError}. */
function parseS3Address(address: string): S3Address | null {
  if (!/^[a-z0-9+.-]+:\/\//i.test(address)) return null;
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(address) ?? [];
  const trimmed = prefix.replace(/\/$/, '');
  if (bucket === undefined || trimmed.split('/').some((part) => part === '.' || part === '..')) {
    throw new ArtifactAddressError(address);
  }
  return { bucket, prefix: trimmed };
}

/**
 * Opens the artifact store at an address: a folder, or `s3://<bucket>/<prefix>`. Endpoint, region and credentials of S3
 * come from the standard AWS environment variables and files (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
 * …). The client is loaded on demand: it takes 0.3 s and 24 MB.
 *
 * @throws {ArtifactAddressError} when the address is invalid.
 */
export async function openArtifactStore(address: string): Promise<ArtifactStore> {
  const s3 = parseS3Address(address);
  if (s3 === null) return new DirectoryArtifactStore(address);
  const [{ S3Client }, { S3ArtifactStore }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('./s3-artifact-store.ts'),
  ]);
  // Servers other than Amazon's rarely have a host name per bucket, and Amazon accepts paths too.
  return new S3ArtifactStore({ client: new S3Client({ forcePathStyle: true }), ...s3 });
}
