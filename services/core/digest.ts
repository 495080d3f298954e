import { createHash } from 'node:crypto';

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** Returns the SHA-256 of a string in UTF-8, hexadecimal. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/**
 * Returns JSON without spaces and with the names of every object in code-unit order, so that equal values give equal strings
 * (RFC 8785 for the values that occur here).
 *
 * @throws RangeError for NaN and infinities, which JSON cannot represent.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError(`A canonical JSON number must be finite; received ${value}.`);
    return JSON.stringify(value);
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] ?? null)}`).join(',')}}`;
}

/** Returns the SHA-256 of the canonical JSON, hexadecimal. */
export function digestOf(value: JsonValue): string {
  return sha256Hex(canonicalJson(value));
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
