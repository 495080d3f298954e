import stringWidth from 'string-width';
import { escapeControls } from '../../core/text/control-characters.ts';
import { formatPercent } from '../terminal/format.ts';
import { toJson } from '../terminal/output.ts';
import { pad } from '../terminal/pad.ts';

export type PredictionOutput = 'table' | 'json' | 'jsonl' | 'csv';

/** The predicted class of one image file, as the tool process reports it. */
export interface Prediction {
  readonly image: string;
  /** null if the image can't be read; `problem` has the reason. */
  readonly className: string | null;
  readonly probabilities: readonly number[];
  readonly problem: string | null;
}

/** Text of predictions in one format, piece by piece, so that any number of them needs little memory. */
export interface PredictionFormat {
  readonly head: string;
  row(prediction: Prediction): string;
  readonly foot: string;
}

export interface PredictionFormatOptions {
  readonly classNames: readonly string[];
  /** All paths, for the width of their column. */
  readonly paths: readonly string[];
  /** Columns of the terminal; null: lines may have any width. */
  readonly columns: number | null;
}

export function predictionFormat(output: PredictionOutput, options: PredictionFormatOptions): PredictionFormat {
  switch (output) {
    case 'table':
      return tableFormat(options);
    case 'json':
      return jsonFormat(options.classNames);
    case 'jsonl':
      return { head: '', row: (prediction) => `${jsonLine(prediction, options.classNames)}\n`, foot: '' };
    case 'csv':
      return csvFormat(options.classNames);
  }
}

/** One JSON object a line, in which the probabilities have the names of their classes. */
function jsonLine({ image, className, probabilities, problem }: Prediction, classNames: readonly string[]): string {
  const named = Object.fromEntries(probabilities.map((value, index) => [classNames[index] ?? String(index), value]));
  return JSON.stringify({ image, class_name: className, probabilities: named, problem });
}

function jsonFormat(classNames: readonly string[]): PredictionFormat {
  let before = '';
  return {
    head: `{\n  "class_names": ${toJson(classNames, 0)},\n  "predictions": [\n`,
    row: (prediction) => {
      const text = `${before}    ${toJson(prediction, 0)}`;
      before = ',\n';
      return text;
    },
    foot: '\n  ]\n}\n',
  };
}

/** RFC 4180, with one column `p_<class>` for each class. */
function csvFormat(classNames: readonly string[]): PredictionFormat {
  const line = (cells: readonly string[]): string => `${cells.map(csvCell).join(',')}\n`;
  return {
    head: line(['image', 'class', 'problem', ...classNames.map((name) => `p_${name}`)]),
    row: ({ image, className, probabilities, problem }) =>
      line([
        image,
        className ?? '',
        problem ?? '',
        ...classNames.map((_, index) => String(probabilities[index] ?? '')),
      ]),
    foot: '',
  };
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Number of classes up to which the table has a column for each; beyond, it names the three most probable. */
const MAX_CLASS_COLUMNS = 4;
const PERCENT_WIDTH = 8;
const MIN_PATH_WIDTH = 12;

function tableFormat({ classNames, paths, columns }: PredictionFormatOptions): PredictionFormat {
  const names = classNames.map(escapeControls);
  const classWidth = Math.max(5, ...names.map((name) => stringWidth(name)));
  const isNarrow = names.length <= MAX_CLASS_COLUMNS;
  const widths = isNarrow ? names.map((name) => Math.max(PERCENT_WIDTH, stringWidth(name))) : [];
  const rest = isNarrow ? widths.reduce((sum, width) => sum + width + 2, 0) : 3 * (classWidth + PERCENT_WIDTH + 3);
  const longest = paths.reduce((most, path) => Math.max(most, stringWidth(escapeControls(path))), 5);
  const room = columns === null ? Infinity : Math.max(MIN_PATH_WIDTH, columns - classWidth - rest - 3);
  const pathWidth = Math.min(longest, room);
  const line = (path: string, className: string, cells: string): string =>
    `${pad(fitEnd(path, pathWidth), pathWidth)}  ${pad(className, classWidth)}  ${cells}`.trimEnd() + '\n';
  return {
    head: line(
      'image',
      'class',
      isNarrow ? names.map((name, i) => pad(name, widths[i] ?? 0, 'right')).join('  ') : 'most probable',
    ),
    row: ({ image, className, probabilities, problem }) => {
      const path = escapeControls(image);
      if (className === null) return line(path, '–', `(${escapeControls(problem ?? '')})`);
      const cells = isNarrow
        ? probabilities.map((value, index) => pad(formatPercent(value), widths[index] ?? 0, 'right')).join('  ')
        : mostProbable(probabilities, names);
      return line(path, escapeControls(className), cells);
    },
    foot: '',
  };
}

function mostProbable(probabilities: readonly number[], names: readonly string[]): string {
  return probabilities
    .map((value, index) => ({ value, name: names[index] ?? String(index) }))
    .sort((a, b) => b.value - a.value)
    .slice(0, 3)
    .map(({ value, name }) => `${name} ${formatPercent(value)}`)
    .join(', ');
}

/** Cuts the beginning of a path, whose end tells it from others. */
function fitEnd(path: string, width: number): string {
  if (stringWidth(path) <= width) return path;
  let kept = '';
  for (const { segment: character } of [...CHARACTERS.segment(path)].reverse()) {
    if (stringWidth(character + kept) >= width) break;
    kept = character + kept;
  }
  return `…${kept}`;
}

const CHARACTERS = new Intl.Segmenter();
