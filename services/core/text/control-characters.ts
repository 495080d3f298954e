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

/** Whether the text has such a character, but for those allowed. */
export function hasControls(text: string, allowed: ReadonlySet<string> = new Set()): boolean {
  return replaceControls(text, () => '', allowed).length < text.length;
}

/** The text with each such character replaced, but for those allowed. */
export function replaceControls(
  text: string,
  replace: (control: string) => string,
  allowed: ReadonlySet<string> = new Set(),
): string {
  return text.replace(CONTROLS, (control) => (allowed.has(control) ? control : replace(control)));
}

/** The text with such characters as `\n`, `\x1b` or `\u202e`, so that it is one line and shows what is in it. */
export function escapeControls(text: string): string {
  return replaceControls(text, escapeOne);
}

/** As `escapeControls`, for a whole text with lines of its own: line feeds and tabs stay. */
export function escapeControlsInLines(text: string): string {
  return replaceControls(text, escapeOne, LINES);
}

/** As `escapeControls`, within the strings of a JSON text: they stay the same strings. */
export function escapeControlsInJson(json: string): string {
  return replaceControls(json, unicodeEscape, LINE_FEED);
}

/** Characters of a long name that are shown before and after the wrong one. */
const SHOWN_AROUND = 60;

/** What is wrong with a name that has such a character; null where it has none. */
export function controlProblem(text: string): string | null {
  const place = text.search(CONTROLS);
  if (place < 0) return null;
  const start = Math.max(0, place - SHOWN_AROUND);
  const end = place + SHOWN_AROUND;
  const excerpt = `${start > 0 ? '…' : ''}${escapeControls(text.slice(start, end))}${end < text.length ? '…' : ''}`;
  const code = (text.codePointAt(place) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return (
    `must not have control characters; received U+${code} at character ${place + 1} of '${excerpt}'. Take it out; it may ` +
    'have come with a copied text.'
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
