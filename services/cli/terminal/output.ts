import { escapeControlsInJson } from '../../core/text/control-characters.ts';

/** A destination of output: standard output or error, or a test's buffer. */
export interface TextStream {
  write(text: string): unknown;
  /** Writes colours and cursor movements, which `write` of a `SafeStream` escapes. */
  writeControl?(text: string): unknown;
  /** Calls `listener` when the size of the terminal changes. */
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export type OutputFormat = 'table' | 'json';

/** Writes a result as one JSON value with proto field names (`--output json`), else as `text` for people. */
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
 * Returns JSON with snake_case names. NaN and infinities, for which JSON has no numbers, are the strings of proto's JSON. Control
 * characters of any kind are JSON escapes.
 */
export function toJson(value: unknown, indent = 2): string {
  return escapeControlsInJson(JSON.stringify(toSnakeCase(value), null, indent));
}

/** Prints a line that is not the result: progress, a hint or a warning. */
export function say({ stderr }: { readonly stderr: TextStream }, text: string): void {
  stderr.write(`${text}\n`);
}

/** Returns `headUnits` as `head_units`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
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
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [snakeCase(key), toSnakeCase(item)]));
  }
  return value;
}
