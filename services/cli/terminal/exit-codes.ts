/** Exit codes of `graft`; documented in `--help` and in the README. */
export const EXIT = {
  ok: 0,
  /** Anything unforeseen. */
  failure: 1,
  /** Wrong arguments, or a sweep file or request with mistakes. */
  usage: 2,
  notFound: 3,
  /** The command did its work, but the sweep ended failed or cancelled; with `--strict`, or some of its runs failed. */
  sweepNotSucceeded: 4,
  unreachable: 5,
  /** No token, one that has ended, or one whose role does not allow it. */
  refused: 6,
  /** 128 + SIGINT. */
  interrupted: 130,
} as const;

export const EXIT_CODE_HELP = `
Exit codes:
  0    done
  1    unforeseen error
  2    wrong arguments, or a sweep file with mistakes (all are named)
  3    no such sweep, run, checkpoint or file
  4    the sweep ended failed or cancelled; with --strict also: it succeeded, and some of its runs failed or were infeasible
  5    the coordinator can't be reached
  6    refused: no token, one that has ended, or one whose role does not allow it
  130  interrupted (Ctrl-C); a sweep that was watched goes on
`;
