import type { DatasetProblem, ManifestImage } from '../../core/dataset.ts';
import type { FileCheck } from './check-file.ts';

/** Maximum number of listed problems of one kind; further ones are only counted. */
const MAX_LISTED = 500;

/** Returns the problems of single files. They are fatal unless bad files are skipped. */
export function fileProblems(checks: ReadonlyMap<string, FileCheck>, skipBadFiles: boolean): readonly DatasetProblem[] {
  return [...checks].flatMap(([path, { problem }]) => {
    if (problem === null) return [];
    const remedy = skipBadFiles ? 'It is left out' : 'Fix or remove it, or set skip_bad_files';
    const message = `"${path}": ${problem.reason}. ${remedy}.`;
    return [{ code: problem.code, path, message, fatal: !skipBadFiles }];
  });
}

/**
 * Reports images that are blank when decoded as Keras decodes them, with the likely cause. They are still trained on.
 */
export function blankProblems(
  images: readonly ManifestImage[],
  checks: ReadonlyMap<string, FileCheck>,
): readonly DatasetProblem[] {
  return images.flatMap(({ path }): DatasetProblem[] => {
    const blank = checks.get(path)?.blank ?? null;
    if (blank === null) return [];
    const { low, high, cause } = blank;
    const values = low === high ? `all its values are ${low}` : `its values are ${low} to ${high}`;
    const message = `"${path}" is blank as decoded for training: ${values} of 255.${cause === '' ? '' : ` ${cause}`}`;
    return [{ code: 'BLANK_IMAGE', path, message, fatal: false }];
  });
}

/**
 * Lists each problem once, and limits the number of each kind to what a person reads: a folder with a million text
 * files must not produce a message of 200 MB. The last problem of a kind carries the count of the unlisted ones.
 */
export function boundProblems(problems: readonly DatasetProblem[]): readonly DatasetProblem[] {
  const kinds = new Map<string, DatasetProblem[]>();
  const seen = new Set<string>();
  for (const problem of problems) {
    const identity = JSON.stringify([problem.code, problem.path, problem.message, problem.fatal]);
    if (seen.has(identity)) continue;
    seen.add(identity);
    const kind = `${problem.code} ${problem.fatal}`;
    const same = kinds.get(kind);
    if (same === undefined) kinds.set(kind, [problem]);
    else same.push(problem);
  }
  return [...kinds.values()].flatMap((same) => {
    const [first] = same;
    const more = same.length - MAX_LISTED;
    if (first === undefined || more <= 0) return same;
    const message = `${more.toLocaleString('en')} more are not listed.`;
    return [...same.slice(0, MAX_LISTED), { code: first.code, path: '', message, fatal: first.fatal, count: more }];
  });
}
