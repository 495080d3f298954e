import type { Parameters } from '../../core/sweep/sweep-spec.ts';
import { escapeControlsInLines } from '../../core/text/control-characters.ts';
import { formatValue } from '../terminal/format.ts';

/** Markup that is inserted without escaping. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Part = Html | string | number | null | undefined | readonly Part[];

/** Characters of a value, for example a path, from which it may break. */
const LONG_VALUE = 24;

const dense = new WeakMap<TemplateStringsArray, readonly string[]>();

/** Builds markup; inserted values are escaped unless they are markup. The template's own indentation is left out. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const [first = '', ...rest] = withoutIndentation(strings);
  let text = first;
  parts.forEach((part, index) => {
    text += textOf(part) + (rest[index] ?? '');
  });
  return new Html(text);
}

/** Renders tags; null if there are none. */
export function tagList(tags: readonly string[]): Html | null {
  if (tags.length === 0) return null;
  return html`<span class="tags">${tags.map((tag) => html`<span class="tag">${tag}</span> `)}</span>`;
}

/** Renders a value for a cell of a table; one that is as long as a path may break. */
export function wrapping(value: string): Part {
  return value.length > LONG_VALUE ? html`<span class="long">${value}</span>` : value;
}

/** Renders a dotted name that may break after its dots: an unbroken one makes its column wider than its values need. */
export function breakable(name: string): Html {
  return html`${name.split(/(?<=\.)/).map((part, index) => (index === 0 ? part : html`<wbr />${part}`))}`;
}

/** Renders `head.units=64 head.dropout=0.5` so that lines break between parameters or within their names, never within a number. */
export function parameterList(parameters: Parameters, names: readonly string[]): Html {
  const present = names.filter((name) => Object.hasOwn(parameters, name));
  return html`${present.map((name, index) => {
    const value = formatValue(parameters[name]);
    return html`${index === 0 ? '' : ' '}<span class="pair"
        >${breakable(name)}<wbr />=<span class="${value.length > LONG_VALUE ? 'long' : 'whole'}">${value}</span></span
      >`;
  })}`;
}

/** Returns the strings of a template with line breaks in place of indentation, which are most of a large table's bytes otherwise. */
function withoutIndentation(strings: TemplateStringsArray): readonly string[] {
  const known = dense.get(strings);
  if (known !== undefined) return known;
  const result = strings.map((text) => text.replaceAll(/\s*\n\s*/g, '\n'));
  dense.set(strings, result);
  return result;
}

/** Escapes text for elements and quoted attributes, controls included: bidirectional ones would reorder the text around them. */
function escapeHtml(text: string): string {
  return escapeControlsInLines(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function textOf(part: Part): string {
  if (part === null || part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return part.map(textOf).join('');
}
