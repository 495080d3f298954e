import type { TextStream } from './output.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const CODES = { dim: '2', bold: '1', red: '31', green: '32', yellow: '33', cyan: '36' } as const;
export type Style = keyof typeof CODES;

/** Returns whether cursor movements work on a stream: it is a terminal, and not the plainest one (`TERM=dumb`). */
export function movesCursor(stream: TextStream, env: Environment): boolean {
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

/**
 * Returns whether to colour a stream: only a terminal, unless NO_COLOR (no-color.org) forbids it or the terminal is `dumb`.
 * FORCE_COLOR (force-color.org) overrides TERM; `0` and `false` forbid colours, too.
 */
export function usesColour(stream: TextStream, env: Environment): boolean {
  const forced = env['FORCE_COLOR'];
  const isForbidden = (env['NO_COLOR'] ?? '') !== '' || forced === '0' || forced === 'false';
  return stream.isTTY === true && !isForbidden && (forced !== undefined || env['TERM'] !== 'dumb');
}

export type Paint = (style: Style | null, text: string) => string;

/** Returns a function that colours a string, or leaves it unchanged. */
export function painter(isColoured: boolean): Paint {
  return (style, text) =>
    isColoured && style !== null && text !== '' ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
}
