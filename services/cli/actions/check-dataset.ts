import { join, resolve } from 'node:path';
import { countProblems, SPLITS } from '../../core/dataset.ts';
import type { Dataset, DatasetProblem } from '../../core/dataset.ts';
import { fileKind, READ_FORMATS } from '../../core/file-kind.ts';
import type { DatasetSource, SplitFractions } from '../../core/sweep/sweep-spec.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { CliError, UsageError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { writeResult } from '../terminal/output.ts';
import { quoted } from '../terminal/quoted.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { renderTable } from '../terminal/table.ts';
import { runTool } from '../tool/run-tool.ts';

/** Flags of `graft dataset check`. */
export interface CheckDatasetFlags {
  readonly split?: string;
  readonly splitSeed: string;
  readonly allowDuplicates?: true;
  readonly skipBadFiles?: true;
  readonly strict?: true;
}

/** `graft dataset check`. */
export async function checkDataset(
  context: CliContext,
  options: GlobalOptions,
  folder: string,
  flags: CheckDatasetFlags,
): Promise<void> {
  const path = resolve(context.cwd, folder);
  const source = {
    path,
    splitFractions: flags.split === undefined ? null : readFractions(flags.split, flags.splitSeed),
    allowDuplicates: flags.allowDuplicates ?? false,
    skipBadFiles: flags.skipBadFiles ?? false,
    strict: flags.strict ?? false,
  };
  report(context, options, { folder, path, ...(await inspectDataset(context, source)) });
}

/** Result of a check: a data set that can be trained on, or the problems of one that can't. */
export interface InspectedDataset {
  readonly found: Dataset | null;
  readonly invalid: readonly DatasetProblem[] | null;
}

/** Lists, decodes and checks the images of a folder as INDEX does, with a line of progress. */
export async function inspectDataset(context: CliContext, source: DatasetSource): Promise<InspectedDataset> {
  const status = new StatusLine(context.stderr, context.env);
  let found: Dataset | null = null;
  let invalid: readonly DatasetProblem[] | null = null;
  const request = { type: 'check-dataset', source, cacheDir: context.paths.cacheDir };
  try {
    await runTool(request, context.env, context.signal, (event) => {
      if (event.type === 'progress') {
        status.show(`${String(event['detail'])}: ${String(event['done'])} of ${String(event['total'])}`);
      }
      if (event.type === 'dataset') found = event['dataset'] as Dataset;
      if (event.type === 'dataset-invalid') invalid = event['problems'] as readonly DatasetProblem[];
    });
  } finally {
    status.clear();
  }
  return { found, invalid };
}

interface Checked extends InspectedDataset {
  /** The data set as it was named, relative to the current folder. */
  readonly folder: string;
  readonly path: string;
}

/** Writes the result of a check. @throws CliError if the data set can't be trained on */
function report(context: CliContext, options: GlobalOptions, { folder, path, found, invalid }: Checked): void {
  if (invalid !== null) {
    writeResult(context, options, { path, usable: false, problems: invalid }, () => describeProblems(invalid, folder));
    const fatal = countProblems(invalid.filter((problem) => problem.fatal));
    throw new CliError(`${path} can't be trained on: ${countOf(fatal, 'problem')}.`, EXIT.usage);
  }
  if (found === null) throw new CliError(`The check of ${path} ended without a result.`);
  const dataset = found;
  writeResult(context, options, { path, usable: true, dataset }, () => describeDataset(dataset, folder));
}

/** Returns the images of each class and split, and the problems that don't prevent training. */
export function describeDataset(dataset: Dataset, folder: string): string {
  const rows = dataset.classNames.map((className) => [
    className,
    ...SPLITS.map((split) =>
      String(dataset.classCounts.find((row) => row.split === split && row.className === className)?.imageCount ?? 0),
    ),
  ]);
  const table = renderTable([{ title: 'class' }, ...SPLITS.map((title) => ({ title, align: 'right' as const }))], rows);
  const problems = dataset.problems.length === 0 ? '' : `\n\n${describeProblems(dataset.problems, folder)}`;
  return `${dataset.path} can be trained on (${dataset.datasetId}).\n\n${table}${problems}`;
}

/** Problems of one kind that a table lists; `--output json` has more. */
const SHOWN_PROBLEMS = 20;

/** Lists errors before notes, with the problems of one kind and their number under one heading. */
export function describeProblems(problems: readonly DatasetProblem[], folder: string): string {
  const kinds = new Map<string, DatasetProblem[]>();
  for (const problem of problems.toSorted((a, b) => Number(b.fatal) - Number(a.fatal))) {
    const heading = `${problem.fatal ? 'error' : 'note '}  ${problem.code}`;
    kinds.set(heading, [...(kinds.get(heading) ?? []), problem]);
  }
  return [
    ...[...kinds].map(([heading, same]) => describeKind(heading, same)),
    ...conversionHint(problems, folder),
  ].join('\n');
}

/** Returns where the images are whose formats are not read, and a command that converts them. @param folder the data set, as named */
function conversionHint(problems: readonly DatasetProblem[], folder: string): readonly string[] {
  const places = new Map<string, number>();
  for (const { path } of problems) {
    const slash = path.lastIndexOf('/');
    const ending = path.slice(path.lastIndexOf('.'));
    if (fileKind(path.slice(slash + 1)) !== 'other-image') continue;
    const place = `${path.slice(0, slash)}/*${ending}`;
    places.set(place, (places.get(place) ?? 0) + 1);
  }
  const [first] = places.keys();
  if (first === undefined) return [];
  const counts = [...places].map(([place, count]) => `${count} ${escapeControls(place)}`);
  return [
    `Not read: ${counts.slice(0, SHOWN_PROBLEMS).join(', ')}${counts.length > SHOWN_PROBLEMS ? ', …' : ''}. Read are ${READ_FORMATS}, as in Keras.`,
    `Convert them, for example with ImageMagick, and remove the originals:  magick mogrify -format png ${quoted(escapeControls(join(folder, first)))}`,
  ];
}

function describeKind(heading: string, problems: readonly DatasetProblem[]): string {
  const total = countProblems(problems);
  const messages = problems.filter(({ count }) => count === undefined).map(({ message }) => escapeControls(message));
  if (total === 1) return `${heading}: ${messages.join('')}`;
  const shown = messages.slice(0, SHOWN_PROBLEMS);
  const more = total - shown.length;
  const rest = more === 0 ? [] : [`… and ${more} more (--output json lists up to 500 of a kind)`];
  return [`${heading}, ${total} times:`, ...[...shown, ...rest].map((line) => `         ${line}`)].join('\n');
}

/**
 * Reads fractions such as `0.7,0.15,0.15`.
 *
 * @throws UsageError
 */
function readFractions(text: string, seedText: string): SplitFractions {
  const [train, validation, test, ...more] = text.split(',').map(Number);
  const seed = Number(seedText);
  const parts = [train, validation, test];
  const right = parts.every((part) => part !== undefined && part > 0 && part < 1) && more.length === 0;
  const sum = parts.reduce<number>((total, part) => total + (part ?? 0), 0);
  if (!right || Math.abs(sum - 1) > 1e-6) {
    throw new UsageError(
      `--split: must be three parts above 0 that sum to 1, for example 0.7,0.15,0.15; received '${text}'.`,
    );
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`--split-seed: must be an integer of at least 0; received '${seedText}'.`);
  }
  return { train: train ?? 0, validation: validation ?? 0, test: test ?? 0, seed };
}
