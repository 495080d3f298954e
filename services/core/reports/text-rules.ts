/** U+0000 to U+001F, U+007F to U+009F, and what changes the direction of text; lone surrogates. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u;
/** Of several lines: with line breaks and tabs. */
const CONTROLS_BUT_LINES =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u;
const SHOWN = 60;

/** 64 hexadecimal digits in lower case. */
export const SHA256 = /^[0-9a-f]{64}$/;

/** A mistake in one line of text, as the description of a violation; null: none. */
export function lineMistake(text: string, maxLength: number): string | null {
  return mistake(text, maxLength, CONTROLS, 'no control or direction characters');
}

/** As `lineMistake`, for text of several lines. */
export function textMistake(text: string, maxLength: number): string | null {
  return mistake(text, maxLength, CONTROLS_BUT_LINES, 'no control characters but line breaks and tabs');
}

/** A mistake in a digest; null: none. */
export function sha256Mistake(digest: string): string | null {
  return SHA256.test(digest) ? null : `must be 64 hexadecimal digits; received ${shown(digest)}.`;
}

/** Text of a stranger in a message: quoted, control characters escaped, cut. */
export function shown(text: string): string {
  const cut = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  const escaped = JSON.stringify(cut).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `'${escaped.slice(1, -1)}'`;
}

/** Makes text of several lines fit `textMistake`: control characters become U+FFFD, what is too long is cut. */
export function cleanText(text: string, maxLength: number): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return cut.replace(new RegExp(CONTROLS_BUT_LINES, 'gu'), '\ufffd');
}

function mistake(text: string, maxLength: number, controls: RegExp, rule: string): string | null {
  if (text.length > maxLength) return `must have at most ${maxLength} characters; received ${text.length}.`;
  return controls.test(text) ? `must have ${rule}; received ${shown(text)}.` : null;
}
