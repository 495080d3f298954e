import { userInfo } from 'node:os';
import { errorCode } from './error-code.ts';

/** Group of an error of the file system, by its remedy. */
export type FileProblemKind =
  /** There is no such file. */
  | 'missing'
  /** The path has another type than required, or an invalid name. */
  | 'invalid'
  /** The account, or a read-only disk, does not allow the access. */
  | 'refused'
  /** The disk is full or faulty, or the process has no file handles left. */
  | 'unavailable';

/** An error of the file system, described without its errno. */
export interface FileProblem {
  readonly kind: FileProblemKind;
  /** A clause that follows a path, for example `does not exist`. */
  readonly clause: string;
}

const PROBLEMS: Readonly<Record<string, readonly [kind: FileProblemKind, clause: string]>> = {
  ENOENT: ['missing', 'does not exist'],
  EISDIR: ['invalid', 'is a folder, not a file'],
  ENOTDIR: ['invalid', 'leads through a file as if it were a folder'],
  ENAMETOOLONG: ['invalid', 'is too long for a path'],
  ELOOP: ['invalid', 'is a link that leads to itself'],
  EINVAL: ['invalid', 'is not accepted by the file system'],
  EROFS: ['refused', 'is on a read-only disk'],
  ETXTBSY: ['refused', 'is a running program'],
  EBUSY: ['refused', 'is in use by another process'],
  ENOSPC: ['unavailable', 'is on a full disk; free some space'],
  EDQUOT: ['unavailable', "is above this account's disk quota; free some space"],
  EFBIG: ['unavailable', 'is above the maximum file size of this account or disk'],
  EIO: ['unavailable', 'is on a disk that reports a fault'],
  EMFILE: ['unavailable', 'is one file too many for this process; raise the limit of `ulimit -n`'],
  ENFILE: ['unavailable', 'is one file too many for this machine'],
  ESTALE: ['unavailable', 'is on a network disk that has lost its connection'],
};

/** Describes an error of the file system; null for any other error. */
export function fileProblem(error: unknown): FileProblem | null {
  const code = errorCode(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return {
      kind: 'refused',
      clause: `may not be accessed by this account (${accountName()}); change its permissions`,
    };
  }
  const known = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code] : undefined;
  return known === undefined ? null : { kind: known[0], clause: known[1] };
}

/**
 * Returns the path of an error of the file system with its problem; the message of any other error.
 *
 * @param path default: the one that the error names.
 */
export function describeFileError(error: unknown, path = pathOf(error)): string {
  const problem = fileProblem(error);
  if (problem !== null) return `${path} ${problem.clause}`;
  return `${path}: ${error instanceof Error ? error.message : String(error)}`;
}

function pathOf(error: unknown): string {
  return error instanceof Error && 'path' in error ? String(error.path) : 'A file';
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number without a name.
    return String(process.getuid?.() ?? 'unknown');
  }
}
