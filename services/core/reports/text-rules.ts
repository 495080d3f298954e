import { escapeControlsInJson, hasControls, replaceControls } from '../text/control-characters.ts';

/** In text of several lines: line breaks, tabs, and the marks that names of files in Hebrew or Arabic may have. */
const OF_LINES: ReadonlySet<string> = new Set(['\t', '\n', '\r', '\u061c', '\u200e', '\u200f', '\u2028', '\u2029']);
const SHOWN = 60;

/** 64 hexadecimal digits in lower case. */
export const SHA256 = /^[0-9a-f]{64}$/;

/** A mistake in one line of text, as the description of a violation; null: none. */
export function lineMistake(text: string, maxLength: number): string | null {
  return mistake(text, maxLength, undefined, 'no control or direction characters');
}

/** As `lineMistake`, for text of several lines. */
export function textMistake(text: string, maxLength: number): string | null {
  return mistake(text, maxLength, OF_LINES, 'no control characters but line breaks and tabs');
}

/** A mistake in a digest; null: none. */
export function sha256Mistake(digest: string): string | null {
  return SHA256.test(digest) ? null : `must be 64 hexadecimal digits; received ${shown(digest)}.`;
}

/** Text of a stranger in a message: quoted, control characters escaped, cut. */
export function shown(text: string): string {
  const escaped = escapeControlsInJson(JSON.stringify(cutText(text, SHOWN + 1)));
  return `'${escaped.slice(1, -1)}'`;
}

/** Makes text of several lines fit `textMistake`: control characters become U+FFFD, what is too long is cut. */
export function cleanText(text: string, maxLength: number): string {
  return replaceControls(cutText(text, maxLength), () => '\ufffd', OF_LINES);
}

/** Text of at most so many characters, the last one an ellipsis where something is left out. */
export function cutText(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}

function mistake(
  text: string,
  maxLength: number,
  allowed: ReadonlySet<string> | undefined,
  rule: string,
): string | null {
  if (text.length > maxLength) return `must have at most ${maxLength} characters; received ${text.length}.`;
  return hasControls(text, allowed) ? `must have ${rule}; received ${shown(text)}.` : null;
}
