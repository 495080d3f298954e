import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { FieldViolation, SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { isWeightsPath, weightsOf } from '../../core/validation/validate-weights.ts';

const REMOTE = 'if only the trainers have it, on other machines, add --remote-data.';

/** Returns a violation for each folder of images and file of weights that is not on this machine. @param isOption the folder is `--data` */
export function missingFiles(spec: SweepSpec, isOption: boolean): readonly FieldViolation[] {
  return [...missingFolder(spec.dataset.path, isOption ? '--data' : 'dataset.path'), ...missingWeights(spec)];
}

function missingFolder(path: string, field: string): readonly FieldViolation[] {
  const found = path === '' ? null : find(path);
  if (found === null || found?.isDirectory() === true) return [];
  const description =
    `there is no folder ${path} on this machine, ${found === undefined ? 'where the coordinator runs' : 'only a file'}. ` +
    `Name the folder of your images with --data DIR; ${REMOTE}`;
  return [{ field, description }];
}

function missingWeights(spec: SweepSpec): readonly FieldViolation[] {
  return weightsOf(spec).flatMap(({ field, value }) => {
    const found = typeof value === 'string' && isWeightsPath(value) ? find(value) : null;
    if (found === null || found?.isFile() === true) return [];
    const description =
      `there is no file ${String(value)} on this machine, ${found === undefined ? 'where the coordinator runs' : 'only a folder'}. ` +
      `Correct the path; ${REMOTE}`;
    return [{ field, description }];
  });
}

/** Looks up a path. Null: this account may not look; that of the trainers may. Undefined: there is nothing. */
function find(path: string): Stats | null | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return null;
  }
}
