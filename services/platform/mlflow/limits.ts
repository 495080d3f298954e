import { createHash } from 'node:crypto';
import { posix } from 'node:path';

/**
 * Limits of an MLflow server, from `mlflow/utils/validation.py`; where versions differ, the limit that all of 2.x and
 * 3.x accept. Lengths are in characters as Python counts them; JavaScript counts at least as many.
 */
export const MLFLOW_LIMITS = {
  metricsPerBatch: 1000,
  paramsPerBatch: 100,
  tagsPerBatch: 100,
  entitiesPerBatch: 1000,
  /** The server refuses bodies above 1,000,000 bytes; the rest is for everything around the lists. */
  batchBytes: 990_000,
  keyLength: 250,
  /** 500, and 250 before that, on older servers: `OLD_PARAM_VALUE_LENGTH`. */
  paramValueLength: 6000,
  tagValueLength: 5000,
  datasetNameLength: 500,
  datasetDigestLength: 36,
} as const;

/** Length that every server accepts. */
export const OLD_PARAM_VALUE_LENGTH = 250;

const DIGEST_LENGTH = 8;

/**
 * Returns a key that MLflow accepts: letters, digits, `_ - . / :` and blanks, a normalised relative path, at most 250
 * characters. A changed name gets a digest appended, so two names never become one.
 */
export function cleanKey(name: string): string {
  // Not `\w`, which is any letter in Python and ASCII in JavaScript; nor `:`, which servers on Windows refuse.
  const replaced = name.replace(/[^A-Za-z0-9_\-./ ]/g, '_');
  const path = posix.normalize(replaced).replace(/^[./]+|\/+$/g, '');
  if (path === name && path !== '' && path.length <= MLFLOW_LIMITS.keyLength) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGEST_LENGTH);
  const room = MLFLOW_LIMITS.keyLength - DIGEST_LENGTH - 1;
  return `${path.slice(0, room)}-${digest}`;
}

/** Truncates to at most `limit` characters, ending in `…`; never splits a surrogate pair. */
export function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = limit - 1;
  const splitsPair = /[\uD800-\uDBFF]/.test(text.charAt(end - 1));
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`;
}
