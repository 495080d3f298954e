import Table from 'cli-table3';
import stringWidth from 'string-width';
import { escapeControls } from '../../core/text/control-characters.ts';

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Returns a borderless table, one line per row, without trailing blanks. Control characters in cells are escaped. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: NO_BORDERS,
    head: columns.map(({ title }) => escapeControls(title)),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(row.map(escapeControls));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Returns `name  value` lines. Further lines of a value are indented to it, so that none looks like a separate fact. */
export function renderFacts(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  const indent = ' '.repeat(width + 2);
  return facts
    .map(([name, value]) =>
      `${name.padEnd(width)}  ${value.split('\n').map(escapeControls).join(`\n${indent}`)}`.trimEnd(),
    )
    .join('\n');
}

/** Cuts a line to `width` columns of the terminal; colour codes take none, and many characters of Asian scripts take two. */
export function cutLine(line: string, width: number): string {
  if (stringWidth(line) <= width) return line;
  let visible = 0;
  let cut = '';
  for (const part of line.split(ESCAPES)) {
    if (part.startsWith('\u001b')) {
      cut += part;
      continue;
    }
    for (const { segment } of CHARACTERS.segment(part)) {
      visible += stringWidth(segment);
      if (visible < width) cut += segment;
    }
  }
  return `${cut}…`;
}

const CHARACTERS = new Intl.Segmenter();
const ESCAPES = /(\u001b\[[0-9;]*m)/;
