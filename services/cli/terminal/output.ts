import { escapeControlsInJson } from '../../core/text/control-characters.ts';

/** Where text goes: standard output or error, or a test's buffer. */
export interface TextStream {
  write(text: string): unknown;
  /** Writes colours and movements of the cursor, where `write` would show them as text (`SafeStream`). */
  writeControl?(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export type OutputFormat = 'table' | 'json';

/** Writes a result: as one JSON value with proto field names (`--output json`), or as text for people. */
export function writeResult(
  { stdout }: { readonly stdout: TextStream },
  { output }: { readonly output: OutputFormat },
  value: unknown,
  text: () => string,
): void {
  const shown = output === 'json' ? toJson(value) : text();
  stdout.write(shown.endsWith('\n') ? shown : `${shown}\n`);
}

/**
 * JSON with snake_case names; NaN and infinities, which JSON has no numbers for, as the texts proto's JSON uses. Control
 * characters of any kind are JSON escapes.
 */
export function toJson(value: unknown, indent = 2): string {
  return escapeControlsInJson(JSON.stringify(toSnakeCase(value), null, indent));
}

/** Something that is not the result. */
export function say({ stderr }: { readonly stderr: TextStream }, text: string): void {
  stderr.write(`${text}\n`);
}

function toSnakeCase(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
  }
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(toSnakeCase);
  if (value instanceof Map) return toSnakeCase(Object.fromEntries(value));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        toSnakeCase(item),
      ]),
    );
  }
  return value;
}
