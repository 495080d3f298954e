import { randomUUID } from 'node:crypto';
import { InvalidRequestError } from '../../core/errors.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import type { CreatedSweep } from '../client/client-port.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describePlan } from '../describe/plan-text.ts';
import { loadSweepFile } from '../sweep-file/parse-sweep-file.ts';
import { toYamlViolation } from '../sweep-file/yaml-path.ts';
import { ViolationsError } from '../terminal/cli-errors.ts';
import { say, writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { requireSuccess } from './require-success.ts';
import type { StrictFlag } from './require-success.ts';
import { watchToEnd } from './watch-sweep.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft sweep submit`. */
export interface SubmitFlags extends StrictFlag {
  readonly requestId?: string;
  readonly watch?: true;
}

/** `graft sweep submit`. */
export async function submitSweep(
  context: CliContext,
  options: GlobalOptions,
  file: string,
  flags: SubmitFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const spec = await loadSweepFile(file, context.cwd);
    const requestId = flags.requestId ?? randomUUID();
    const created = await inYamlTerms(file, spec, () => client.createSweep(requestId, spec));
    if (flags.watch === undefined) {
      writeResult(context, options, created, () => describeSubmission(created));
      return;
    }
    say(context, describeSubmission(created));
    requireSuccess(await watchToEnd(context, options, client, created.sweep.sweepId), flags);
  });
}

/** `graft sweep plan`. */
export async function planSweep(context: CliContext, options: GlobalOptions, file: string): Promise<void> {
  const spec = await loadSweepFile(file, context.cwd);
  await withClient(context, options, async (client) => {
    const plan = await inYamlTerms(file, spec, () => client.planSweep(spec));
    writeResult(context, options, plan, () => describePlan(plan));
  });
}

function describeSubmission({ sweep, duplicateCount, notes }: CreatedSweep): string {
  const left = duplicateCount === 0 ? '' : ` (left out ${duplicateCount} that would train the same as another)`;
  return [
    `Sweep ${sweep.sweepId} with ${sweep.runCount} runs${left}.`,
    ...notes,
    `Watch it:  ${GRAFT} sweep watch ${sweep.sweepId}`,
  ].join('\n');
}

/** Rewrites the field paths of mistakes that the coordinator finds into paths of the sweep file. */
async function inYamlTerms<T>(file: string, spec: SweepSpec, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    throw new ViolationsError(
      file,
      error.violations.map((violation) => toYamlViolation(violation, spec)),
      error.count,
    );
  }
}
