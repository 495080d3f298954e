import { createHash } from 'node:crypto';
import { posix } from 'node:path';

/**
 * What an MLflow server takes, from `mlflow/utils/validation.py`; where versions differ, what all of 2.x and 3.x take. Lengths
 * are in characters as Python counts them, of which JavaScript counts at least as many.
 */
export const MLFLOW_LIMITS = {
  metricsPerBatch: 1000,
  paramsPerBatch: 100,
  tagsPerBatch: 100,
  entitiesPerBatch: 1000,
  /** The server refuses above 1,000,000; the rest is for what is around the lists. */
  batchBytes: 990_000,
  keyLength: 250,
  /** 500, and 250 before that, on older servers: `OLD_PARAM_VALUE_LENGTH`. */
  paramValueLength: 6000,
  tagValueLength: 5000,
  datasetNameLength: 500,
  datasetDigestLength: 36,
} as const;

/** What every server takes. */
export const OLD_PARAM_VALUE_LENGTH = 250;

const DIGEST_LENGTH = 8;

/**
 * A key that MLflow takes: of letters, digits, `_ - . / :` and blanks, a relative path without detours, at most 250
 * characters. A name that has to be changed gets a digest, so that two names never become one.
 */
export function cleanKey(name: string): string {
  // Not `\w`, which is any letter to Python and ASCII to JavaScript; nor `:`, which servers on Windows refuse.
  const replaced = name.replace(/[^A-Za-z0-9_\-./ ]/g, '_');
  const path = posix.normalize(replaced).replace(/^[./]+|\/+$/g, '');
  if (path === name && path !== '' && path.length <= MLFLOW_LIMITS.keyLength) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGEST_LENGTH);
  const room = MLFLOW_LIMITS.keyLength - DIGEST_LENGTH - 1;
  return `${path.slice(0, room)}-${digest}`;
}

/** At most `limit` characters; what is cut ends with `…`, never within a character. */
export function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = limit - 1;
  const splitsPair = /[\uD800-\uDBFF]/.test(text.charAt(end - 1));
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`;
}
