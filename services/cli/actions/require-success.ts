import type { SweepRecord } from '../../core/records/sweep.ts';
import { describeState } from '../describe/sweep-text.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { GRAFT } from '../terminal/program-name.ts';

/** `--strict`. */
export interface StrictFlag {
  readonly strict?: true;
}

/**
 * Checks that an ended sweep succeeded; with `--strict`, also that none of its runs failed or was infeasible.
 *
 * @throws CliError with exit code 4.
 */
export function requireSuccess(sweep: SweepRecord, { strict }: StrictFlag): void {
  const { sweepId, state, stateReason, failedRunCount, infeasibleRunCount } = sweep;
  if (state === 'FAILED' || state === 'CANCELLED') {
    const reason = stateReason === '' ? '' : `: ${stateReason}`;
    throw new CliError(`Sweep ${sweepId} ended ${state}${reason}`, EXIT.incomplete);
  }
  if (strict !== true || state !== 'SUCCEEDED' || failedRunCount + infeasibleRunCount === 0) return;
  throw new CliError(
    `Sweep ${sweepId} ended ${describeState(sweep)}, and --strict requires that every run succeeds. ` +
      `\`${GRAFT} run list ${sweepId}\` shows the reasons.`,
    EXIT.incomplete,
  );
}
