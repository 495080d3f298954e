import { escapeControls } from './control-characters.ts';

/** Maximum length of a value that a message repeats in full. */
const MAX_SHOWN_LENGTH = 120;

/** Formats a value for messages: a string in quotes, everything else as JSON. A long one is truncated, with its length. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (value.length <= MAX_SHOWN_LENGTH) return `'${escapeControls(value)}'`;
      return `'${escapeControls(value.slice(0, MAX_SHOWN_LENGTH))}…' (${value.length} characters)`;
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'undefined':
      return String(value);
    default:
      return showJson(JSON.stringify(value));
  }
}

function showJson(json: string): string {
  if (json.length <= MAX_SHOWN_LENGTH) return escapeControls(json);
  return `${escapeControls(json.slice(0, MAX_SHOWN_LENGTH))}… (${json.length} characters)`;
}
