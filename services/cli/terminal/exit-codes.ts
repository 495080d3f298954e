import type { FileProblemKind } from '../../platform/files/file-problem.ts';

/** Exit codes of `graft`; documented in `--help` and in the README. Only `failure` is a surprise. */
export const EXIT = {
  ok: 0,
  /** Unforeseen error: a fault of Graft, or damage. */
  failure: 1,
  /** Wrong arguments, or a sweep file, data set or checkpoint with mistakes. */
  usage: 2,
  notFound: 3,
  /**
   * The command did its work, but not all of it succeeded: the sweep ended FAILED or CANCELLED, or images could not be read. With
   * `--strict`, also if any run failed.
   */
  incomplete: 4,
  /** The coordinator, its database, a download or a full disk; the same command may succeed later. */
  unavailable: 5,
  /** Missing, expired or revoked token, a role that does not allow the call, or a file that the account may not access. */
  refused: 6,
  /** The present state does not allow it, for example to pause a sweep that has ended. `graft.js` uses it before set-up. */
  conflict: 7,
  /** 128 + SIGINT. */
  interrupted: 130,
} as const;

export const EXIT_CODE_HELP = `
Exit codes:
  0    success
  1    unforeseen error: please report it
  2    invalid arguments, or mistakes in a sweep file, data set or checkpoint
       (all are listed)
  3    no such sweep, run, checkpoint or file
  4    done, but not everything succeeded: the sweep ended FAILED or CANCELLED
       (with --strict, also if any of its runs failed or was infeasible), or
       some images could not be read
  5    unavailable: the coordinator can't be reached or is busy, a download
       failed, or the disk is full; the same command may succeed later
  6    refused: token missing, expired or revoked, its role is insufficient, or
       this account may not access a file
  7    conflict: the state does not allow it, for example to pause a sweep that
       has ended, the versions of graft and coordinator do not fit, or Graft is
       not set up
  130  interrupted by Ctrl-C; a watched sweep continues
`;

/** Exit codes of errors of the file system. */
export const EXIT_OF_FILE_PROBLEM: Readonly<Record<FileProblemKind, number>> = {
  missing: EXIT.notFound,
  invalid: EXIT.usage,
  refused: EXIT.refused,
  unavailable: EXIT.unavailable,
};
