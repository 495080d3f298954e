import { createHash } from 'node:crypto';
import { ArtifactMissingError } from '../../core/errors.ts';
import type { ArtifactStore, StoredArtifact } from './artifact-store.ts';

/**
 * Compares a stored file with its registration by reading all of it.
 *
 * @returns a description of the damage that continues a sentence starting with the uri; null if the file is intact.
 */
export async function findDamage(artifacts: ArtifactStore, artifact: StoredArtifact): Promise<string | null> {
  const { uri, sizeBytes, sha256 } = artifact;
  const found = await artifacts.stat(uri);
  if (found === null) return 'is not in the artifact store';
  if (found.sizeBytes !== sizeBytes) return `has ${found.sizeBytes} bytes instead of ${sizeBytes}`;
  const hash = createHash('sha256');
  try {
    for await (const chunk of artifacts.readFrom(uri, 0)) hash.update(chunk);
  } catch (error) {
    if (error instanceof ArtifactMissingError) return 'is not in the artifact store';
    throw error;
  }
  return describeDigest(hash.digest('hex'), sha256);
}

/** Compares two digests; returns as `findDamage` does. */
export function describeDigest(actual: string, registered: string): string | null {
  return actual === registered ? null : `is damaged: its sha256 is ${actual} instead of ${registered}`;
}
