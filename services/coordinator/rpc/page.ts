import { InvalidRequestError } from '../../core/errors.ts';
import type { FieldViolation } from '../../core/sweep/sweep-spec.ts';
import { z } from 'zod';

/** The part of a list request that all have in common. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface PageRules<K> {
  /** Which list the token is of, with what it was asked for: a token of another list is refused. */
  readonly scope: string;
  readonly defaultSize: number;
  readonly maxSize: number;
  readonly key: z.ZodType<K>;
}

const ENVELOPE = z.object({ v: z.literal(1), s: z.string(), k: z.unknown() });

/**
 * Reads size and token of a page request.
 *
 * @returns how many rows to give and the key they come after; null: from the beginning.
 * @throws InvalidRequestError with both mistakes.
 */
export function readPage<K>(
  request: PageRequest,
  rules: PageRules<K>,
): { readonly limit: number; readonly after: K | null } {
  const violations: FieldViolation[] = [];
  if (request.pageSize < 0 || request.pageSize > rules.maxSize) {
    const description = `must be 1 to ${rules.maxSize}, or 0 for ${rules.defaultSize}; received ${request.pageSize}.`;
    violations.push({ field: 'page_size', description });
  }
  const after = request.pageToken === '' ? null : decode(request.pageToken, rules);
  if (after === undefined) {
    const description =
      'is not one that this list gave for the same request; send the next_page_token of the page before.';
    violations.push({ field: 'page_token', description });
  }
  if (violations.length > 0) throw new InvalidRequestError(violations);
  return { limit: request.pageSize === 0 ? rules.defaultSize : request.pageSize, after: after ?? null };
}

/** The token of the page that comes after `key`; empty where there is none. */
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

/** A time as PostgreSQL spells it, for keys that must keep microseconds. */
export const TIME_KEY = z.string().regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d){0,2}$/);
