import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Dataset, DatasetProblem } from '../../core/dataset.ts';
import { countProblems, SPLITS } from '../../core/dataset.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import type { SplitFractions } from '../../core/sweep/sweep-spec.ts';
import { CliError, UsageError } from '../terminal/cli-errors.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { CATS_VS_DOGS_ARCHIVE, fetchCatsVsDogs, PUBLISHED_COUNTS } from '../dataset/fetch-cats-vs-dogs.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { formatBytes } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { renderTable } from '../terminal/table.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { runTool } from '../tool/run-tool.ts';
import { globalOptions } from './client-command.ts';

interface CheckOptions {
  readonly split?: string;
  readonly splitSeed: string;
  readonly allowDuplicates?: true;
  readonly skipBadFiles?: true;
  readonly strict?: true;
}

/** `graft dataset …`. */
export function addDatasetCommands(program: Command, context: CliContext): void {
  const dataset = program.command('dataset').description('check a folder of images, or fetch one');
  dataset
    .command('check <dir>')
    .description('index a folder as a sweep would, and name everything that is wrong with it')
    .option('--split <train,validation,test>', 'for <dir>/<class>/<image>: parts, for example 0.7,0.15,0.15')
    .option('--split-seed <number>', 'seed of that division', '0')
    .option('--allow-duplicates', 'the same picture may be in two splits')
    .option('--skip-bad-files', "leave out files that can't be decoded")
    .option('--strict', 'a picture that looks like one of another split is an error, not a note')
    .action(async (dir: string, own: CheckOptions, command: Command) => {
      await check(context, globalOptions(command), resolve(context.cwd, dir), own);
    });
  dataset
    .command('fetch <name>')
    .description('fetch a public data set; the one that is known: cats-vs-dogs (825 MB, 2000/1000/2000 images)')
    .option('-o, --out <dir>', 'where to; default: data/cats-vs-dogs in the cache folder')
    .option('--keep-archive', 'do not delete the archive after unpacking')
    .action(async (name: string, own: { out?: string; keepArchive?: true }, command: Command) => {
      if (name !== 'cats-vs-dogs')
        throw new UsageError(`There is no data set '${name}' to fetch. Known: cats-vs-dogs.`);
      await fetchNamed(context, globalOptions(command), own);
    });
}

async function check(context: CliContext, options: GlobalOptions, path: string, own: CheckOptions): Promise<void> {
  const source = {
    path,
    splitFractions: own.split === undefined ? null : readFractions(own.split, own.splitSeed),
    allowDuplicates: own.allowDuplicates ?? false,
    skipBadFiles: own.skipBadFiles ?? false,
    strict: own.strict ?? false,
  };
  const status = new StatusLine(context.stderr);
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
  report(context, options, path, found, invalid);
}

function report(
  context: CliContext,
  options: GlobalOptions,
  path: string,
  found: Dataset | null,
  invalid: readonly DatasetProblem[] | null,
): void {
  if (invalid !== null) {
    writeResult(context, options, { path, usable: false, problems: invalid }, () => describeProblems(invalid));
    const fatal = countProblems(invalid.filter((problem) => problem.fatal));
    throw new CliError(`${path} can't be trained on: ${fatal} ${fatal === 1 ? 'problem' : 'problems'}.`, EXIT.usage);
  }
  if (found === null) throw new CliError(`The check of ${path} ended without an answer.`);
  const dataset = found;
  writeResult(context, options, { path, usable: true, dataset }, () => describeDataset(dataset));
}

function describeDataset(dataset: Dataset): string {
  const rows = dataset.classNames.map((className) => [
    className,
    ...SPLITS.map((split) =>
      String(dataset.classCounts.find((row) => row.split === split && row.className === className)?.imageCount ?? 0),
    ),
  ]);
  const table = renderTable([{ title: 'class' }, ...SPLITS.map((title) => ({ title, align: 'right' as const }))], rows);
  const problems = dataset.problems.length === 0 ? '' : `\n\n${describeProblems(dataset.problems)}`;
  return `${dataset.path} can be trained on (${dataset.datasetId}).\n\n${table}${problems}`;
}

/** Problems of one kind that are shown as text; `--output json` has more. */
const SHOWN_PROBLEMS = 20;

/** Errors first; problems of one kind under one heading with their number. */
function describeProblems(problems: readonly DatasetProblem[]): string {
  const kinds = new Map<string, DatasetProblem[]>();
  for (const problem of problems.toSorted((a, b) => Number(b.fatal) - Number(a.fatal))) {
    const heading = `${problem.fatal ? 'error' : 'note '}  ${problem.code}`;
    kinds.set(heading, [...(kinds.get(heading) ?? []), problem]);
  }
  return [...kinds].map(([heading, same]) => describeKind(heading, same)).join('\n');
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

/** `0.7,0.15,0.15`. */
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
    throw new UsageError(`--split-seed: must be a whole number of at least 0; received '${seedText}'.`);
  }
  return { train: train ?? 0, validation: validation ?? 0, test: test ?? 0, seed };
}

async function fetchNamed(
  context: CliContext,
  options: GlobalOptions,
  own: { readonly out?: string; readonly keepArchive?: true },
): Promise<void> {
  const { cacheDir } = context.paths;
  const status = new StatusLine(context.stderr);
  try {
    const result = await fetchCatsVsDogs({
      archive: CATS_VS_DOGS_ARCHIVE,
      archivePath: join(cacheDir, 'downloads', basename(CATS_VS_DOGS_ARCHIVE.url)),
      outDir: own.out === undefined ? join(cacheDir, 'data', 'cats-vs-dogs') : resolve(context.cwd, own.out),
      counts: PUBLISHED_COUNTS,
      keepArchive: own.keepArchive ?? false,
      signal: context.signal,
      onStep: (text) => {
        status.clear();
        say(context, text);
      },
      onProgress: ({ doneBytes, totalBytes }) => {
        status.show(`${formatBytes(doneBytes)}${totalBytes === null ? '' : ` of ${formatBytes(totalBytes)}`}`);
      },
    });
    status.clear();
    writeResult(context, options, result, () =>
      result.wasThere
        ? `${result.outDir} is there already. Delete it to fetch again.`
        : `${result.outDir}: ${result.imageCount} images; ${result.skipped.length} of the archive were no JPEG and left out.`,
    );
  } finally {
    status.clear();
  }
}
