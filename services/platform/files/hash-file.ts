import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

export type HashAlgorithm = 'sha256' | 'md5';

/** Returns the digest of a file's bytes, hexadecimal. */
export async function hashFile(path: string, algorithm: HashAlgorithm): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

interface KnownDigest {
  readonly stamp: string;
  readonly digest: string;
}

const known = new Map<string, KnownDigest>();

/** Minimum age of a cacheable file: a second change within the clock's resolution would go undetected. */
const SETTLING_MS = 2000;

/**
 * Returns the digest of a file like `hashFile`, but reads the file again only if its inode may have changed. Unlike the
 * modification time, the inode's change time (ctime) can't be set back.
 */
export async function hashFileOnce(path: string, algorithm: HashAlgorithm): Promise<string> {
  const { dev, ino, size, ctimeNs, ctimeMs } = await stat(path, { bigint: true });
  const stamp = [dev, ino, size, ctimeNs].join(' ');
  const key = `${algorithm} ${path}`;
  const remembered = known.get(key);
  if (remembered?.stamp === stamp) return remembered.digest;
  const digest = await hashFile(path, algorithm);
  if (Date.now() - Number(ctimeMs) > SETTLING_MS) known.set(key, { stamp, digest });
  return digest;
}
