import { escapeControlsInJson, hasControls, replaceControls } from '../text/control-characters.ts';

/** Control characters that are allowed in several lines: line breaks, tabs, and marks of file names in Hebrew or Arabic. */
const OF_LINES: ReadonlySet<string> = new Set(['\t', '\n', '\r', '\u061c', '\u200e', '\u200f', '\u2028', '\u2029']);
const SHOWN = 60;

/** 64 hexadecimal digits in lower case. */
export const SHA256 = /^[0-9a-f]{64}$/;

/** Describes a mistake in a string of one line; null: none. */
export function lineMistake(text: string, maxLength: number): string | null {
  return mistake(text, maxLength, undefined, 'no control or direction characters');
}

/** Describes a mistake in a string of several lines; null: none. */
export function textMistake(text: string, maxLength: number): string | null {
  return mistake(text, maxLength, OF_LINES, 'no control characters but line breaks and tabs');
}

/** Describes a mistake in a digest; null: none. */
export function sha256Mistake(digest: string): string | null {
  return SHA256.test(digest) ? null : `must be 64 hexadecimal digits; received ${shown(digest)}.`;
}

/** Quotes a received string for a message, with control characters escaped, truncated. */
export function shown(text: string): string {
  const escaped = escapeControlsInJson(JSON.stringify(cutText(text, SHOWN + 1)));
  return `'${escaped.slice(1, -1)}'`;
}

/** Makes a string fit `textMistake`: control characters become U+FFFD, and a long string is truncated. */
export function cleanText(text: string, maxLength: number): string {
  return replaceControls(cutText(text, maxLength), () => '\ufffd', OF_LINES);
}

/** Truncates a string to `maxLength` characters, the last of them an ellipsis. */
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
