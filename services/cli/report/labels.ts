import stringWidth from 'string-width';
import { escapeControls } from '../../core/text/control-characters.ts';
import type { ParameterValue } from '../../core/sweep/sweep-spec.ts';
import { formatNumber, formatValue } from '../terminal/format.ts';

/** Width of a label in a chart, in Latin characters: what fits between two axes, and under an axis if rotated. */
export const LABEL_WIDTH = 16;

const CHARACTERS = new Intl.Segmenter();
const FEWEST_DIGITS = 4;
/** Significant digits that tell any two numbers apart. */
const MOST_DIGITS = 17;

/** Returns labels no wider than `LABEL_WIDTH`: long names without their middle, numbered where that makes them equal. */
export function shortLabels(names: readonly string[]): readonly string[] {
  const escaped = names.map(escapeControls);
  const cut = escaped.map((name) => withoutMiddle(name, LABEL_WIDTH));
  return cut.map((label, index) => {
    if (label === escaped[index] || cut.indexOf(label) === cut.lastIndexOf(label)) return label;
    const number = ` ${cut.slice(0, index + 1).filter((other) => other === label).length}`;
    return withoutMiddle(escaped[index] ?? '', LABEL_WIDTH - number.length) + number;
  });
}

/** Cuts between characters as people see them, so that no emoji or accented letter is divided. */
function withoutMiddle(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  const characters = [...CHARACTERS.segment(text)].map(({ segment }) => segment);
  const head = firstOf(characters, Math.ceil((width - 1) / 2));
  const tail = firstOf([...characters].reverse(), Math.floor((width - 1) / 2));
  return `${head.join('')}…${[...tail].reverse().join('')}`;
}

function firstOf(characters: readonly string[], width: number): readonly string[] {
  let used = 0;
  const end = characters.findIndex((character) => (used += stringWidth(character)) > width);
  return end < 0 ? characters : characters.slice(0, end);
}

/**
 * Returns a label for each of different values: numbers with four significant digits, or as many more as tell them apart. A string that
 * reads as another value is in quotes.
 */
export function valueLabels(values: readonly ParameterValue[]): readonly string[] {
  const digits = digitsOf(values.filter((value) => typeof value === 'number'));
  const label = (value: ParameterValue): string =>
    typeof value === 'number' ? formatNumber(value, digits) : formatValue(value);
  const others = new Set(values.filter((value) => typeof value !== 'string').map(label));
  return values.map((value) => (typeof value === 'string' && others.has(value) ? `"${value}"` : label(value)));
}

/** Returns the number of significant digits that numbers need to have different labels, at least four. */
export function digitsOf(numbers: readonly number[]): number {
  const wanted = new Set(numbers).size;
  let digits = FEWEST_DIGITS;
  while (digits < MOST_DIGITS && new Set(numbers.map((one) => formatNumber(one, digits))).size < wanted) digits += 1;
  return digits;
}
