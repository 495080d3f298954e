import { join } from 'node:path';
import process from 'node:process';
import { runCli } from '../../../../services/cli/cli.ts';
import type { DatasetProblem } from '../../../../services/core/dataset.ts';
import type { DatasetSource } from '../../../../services/core/sweep/sweep-spec.ts';
import { DatasetInvalidError, indexDataset } from '../../../../services/trainer/data/index-dataset.ts';
import type { IndexedDataset } from '../../../../services/trainer/data/manifest.ts';

/** The result of indexing a folder: a data set, or the reasons why it can't be trained on. */
export interface Indexed {
  readonly indexed: IndexedDataset | null;
  readonly problems: readonly DatasetProblem[];
  /** Code and path of each problem, fatal ones with an exclamation mark, sorted. */
  readonly lines: readonly string[];
}

/** Indexes a folder with a cache beside it. */
export async function indexFolder(
  root: string,
  source: Partial<DatasetSource> = {},
  dataRoot: string | null = null,
): Promise<Indexed> {
  const defaults = { path: root, splitFractions: null, allowDuplicates: true, skipBadFiles: false };
  const cacheDir = `${root}-cache`;
  try {
    const indexed = await indexDataset({ source: { ...defaults, ...source }, cacheDir, dataRoot });
    return { indexed, ...described(indexed.dataset.problems) };
  } catch (error) {
    if (!(error instanceof DatasetInvalidError)) throw error;
    return { indexed: null, ...described(error.problems) };
  }
}

function described(problems: readonly DatasetProblem[]): Pick<Indexed, 'problems' | 'lines'> {
  return { problems, lines: problems.map(({ code, path, fatal }) => `${code} ${path}${fatal ? '!' : ''}`).sort() };
}

/** Runs `graft dataset check`, which starts its own TensorFlow process. */
export async function checkWithCli(
  root: string,
  folder: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(['dataset', 'check', root, ...flags], {
    env: { ...process.env, ...env },
    cwd: folder,
    // A cache without the checks of other tests.
    paths: { cacheDir: join(folder, 'cli-cache'), stateDir: join(folder, 'state') },
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    signal: new AbortController().signal,
    signals: { onSecond: null },
    openClient: () => {
      throw new Error('checking a folder needs no coordinator');
    },
  });
  return { code, out, err };
}
