import { isUtf8 } from 'node:buffer';
import { replaceControls } from '../../core/text/control-characters.ts';

/** A file's name or path for messages: bytes that are not UTF-8 as `\xNN`, characters that can't be seen as `\u{N}`. */
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

/** Bytes of the character at a place, 1 to 4; 0 where none is. */
function sequenceLength(bytes: Buffer, at: number): number {
  return [1, 2, 3, 4].find((length) => at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length))) ?? 0;
}

/** By Unicode code points, as Python sorts; JavaScript's own order is by UTF-16 units. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
