import { InvalidRequestError } from '../../core/errors.ts';
import type { FieldViolation } from '../../core/sweep/sweep-spec.ts';
import { z } from 'zod';

/** The fields that all list requests have. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface PageRules<K> {
  /** Names the list and its request. A token of another scope is refused. */
  readonly scope: string;
  readonly defaultSize: number;
  readonly maxSize: number;
  readonly key: z.ZodType<K>;
}

const ENVELOPE = z.object({ v: z.literal(1), s: z.string(), k: z.unknown() });

/**
 * Reads size and token of a page request.
 *
 * @returns the number of rows to return, and the key after which they begin; null: the beginning.
 * @throws InvalidRequestError with all mistakes.
 */
export function readPage<K>(
  request: PageRequest,
  rules: PageRules<K>,
): { readonly limit: number; readonly after: K | null } {
  const violations: FieldViolation[] = [];
  if (request.pageSize < 0) {
    violations.push({ field: 'page_size', description: `must be 0 or above; received ${request.pageSize}.` });
  }
  const after = request.pageToken === '' ? null : decode(request.pageToken, rules);
  if (after === undefined) {
    const description =
      'is not a token that this list returned for the same request; send the next_page_token of the previous page.';
    violations.push({ field: 'page_token', description });
  }
  if (violations.length > 0) throw new InvalidRequestError(violations);
  // A size above the maximum is coerced (AIP-158).
  const limit = request.pageSize === 0 ? rules.defaultSize : Math.min(request.pageSize, rules.maxSize);
  return { limit, after: after ?? null };
}

/** Returns the token of the page after `key`, or an empty string when `key` is null. */
export function pageToken(scope: string, key: unknown): string {
  if (key === null) return '';
  return Buffer.from(JSON.stringify({ v: 1, s: scope, k: key }), 'utf8').toString('base64url');
}

function decode<K>(token: string, rules: PageRules<K>): K | undefined {
  try {
    const envelope = ENVELOPE.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')));
    return envelope.s === rules.scope ? rules.key.parse(envelope.k) : undefined;
  } catch {
    return undefined;
  }
}

const TIME_PATTERN = /^(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)(\.\d{1,6})?([+-]\d\d)(:\d\d)?$/;

/** A time as PostgreSQL prints it, for keys that must keep microseconds. Times that do not exist are refused. */
export const TIME_KEY = z.string().refine((text) => {
  const [, year = '', month = '', day = '', time = '', , hours = '', minutes = ':00'] = TIME_PATTERN.exec(text) ?? [];
  const asUtc = new Date(`${year}-${month}-${day}T${time}Z`);
  // JavaScript reads February 30th as March 2nd; PostgreSQL refuses it.
  const exists = !Number.isNaN(asUtc.getTime()) && asUtc.toISOString().startsWith(`${year}-${month}-${day}T${time}`);
  return exists && Math.abs(Number(hours)) <= 15 && Number(minutes.slice(1)) < 60 && Number(year) > 0;
});

/** An identifier in a key. */
export const ID_KEY = z
  .string()
  .max(1_000)
  .refine((id) => !id.includes('\0'));

/** The path of an image in a key. */
export const PATH_KEY = z
  .string()
  .max(8_192)
  .refine((path) => !path.includes('\0'));

/** A value of an int4 column in a key, 0 or above. */
export const INDEX_KEY = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
