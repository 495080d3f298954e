/** Exit codes of `graft`; documented in `--help` and in the README. */
export const EXIT = {
  ok: 0,
  /** Unforeseen error. */
  failure: 1,
  /** Wrong arguments, or a sweep file or request with mistakes. */
  usage: 2,
  notFound: 3,
  /** The command succeeded, but the sweep ended FAILED or CANCELLED; with `--strict`, also if any run failed. */
  sweepNotSucceeded: 4,
  unreachable: 5,
  /** Missing, expired or revoked token, or a role that does not allow the call. */
  refused: 6,
  /** 128 + SIGINT. */
  interrupted: 130,
} as const;

export const EXIT_CODE_HELP = `
Exit codes:
  0    success
  1    unforeseen error
  2    invalid arguments, or a sweep file with mistakes (all are listed)
  3    no such sweep, run, checkpoint or file
  4    the sweep ended FAILED or CANCELLED; with --strict, also if any of its
       runs failed or was infeasible
  5    the coordinator is unreachable
  6    refused: token missing, expired or revoked, or its role is insufficient
  130  interrupted by Ctrl-C; a watched sweep continues
`;
