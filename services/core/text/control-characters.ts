/**
 * Characters that change how the text around them is shown, or break it in two, and are never part of a name: C0 and C1 controls
 * and DEL, bidirectional controls (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), line and paragraph separators, and
 * halves of surrogate pairs, which UTF-8 can't say.
 */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/gu;

const LINE_FEED: ReadonlySet<string> = new Set(['\n']);
const LINES: ReadonlySet<string> = new Set(['\n', '\t']);
const SHORT: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** Returns whether a string has such a character that is not allowed. */
export function hasControls(text: string, allowed: ReadonlySet<string> = new Set()): boolean {
  return replaceControls(text, () => '', allowed).length < text.length;
}

/** Replaces each such character that is not allowed. */
export function replaceControls(
  text: string,
  replace: (control: string) => string,
  allowed: ReadonlySet<string> = new Set(),
): string {
  return text.replace(CONTROLS, (control) => (allowed.has(control) ? control : replace(control)));
}

/** Escapes such characters as `\n`, `\x1b` or `\u202e`, so that the string is one line and shows its content. */
export function escapeControls(text: string): string {
  return replaceControls(text, escapeOne);
}

/** Escapes as `escapeControls`, but keeps line feeds and tabs. */
export function escapeControlsInLines(text: string): string {
  return replaceControls(text, escapeOne, LINES);
}

/** Escapes as `escapeControls` within the strings of a JSON document, which keep their values. */
export function escapeControlsInJson(json: string): string {
  return replaceControls(json, unicodeEscape, LINE_FEED);
}

/** Number of characters of a long name that are shown before and after the wrong one. */
const SHOWN_AROUND = 60;

/** Describes the first such character of a name; null where it has none. */
export function controlProblem(text: string): string | null {
  const place = text.search(CONTROLS);
  if (place < 0) return null;
  const start = Math.max(0, place - SHOWN_AROUND);
  const end = place + SHOWN_AROUND;
  const excerpt = `${start > 0 ? '…' : ''}${escapeControls(text.slice(start, end))}${end < text.length ? '…' : ''}`;
  const code = (text.codePointAt(place) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return (
    `must not have control characters; received U+${code} at character ${place + 1} of '${excerpt}'. Remove it; it may ` +
    'have come with copied text.'
  );
}

function escapeOne(control: string): string {
  const short = SHORT.get(control);
  if (short !== undefined) return short;
  const code = control.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : unicodeEscape(control);
}

function unicodeEscape(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
