import { isUtf8 } from 'node:buffer';
import { replaceControls } from '../../core/text/control-characters.ts';

/** Renders a file name or path for messages: invalid UTF-8 bytes as `\xNN`, control characters as `\u{N}`. */
export function showName(name: Buffer): string {
  let shown = '';
  for (let at = 0; at < name.length;) {
    const length = sequenceLength(name, at);
    const bytes = name.subarray(at, at + Math.max(1, length));
    shown += length === 0 ? `\\x${bytes.toString('hex')}` : bytes.toString('utf8');
    at += bytes.length;
  }
  return replaceControls(shown, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Returns the length in bytes (1 to 4) of the character at an offset; 0 if the bytes there are not UTF-8. */
function sequenceLength(bytes: Buffer, at: number): number {
  return [1, 2, 3, 4].find((length) => at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length))) ?? 0;
}

/** Compares by Unicode code points, as Python sorts; JavaScript compares UTF-16 units. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
