import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { InvalidRequestError } from '../../core/errors.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { CliError, ViolationsError } from '../terminal/cli-errors.ts';
import type { CreatedSweep, GraftClient, Sweep } from '../client/types.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { say, writeResult } from '../terminal/output.ts';
import { loadSweepFile } from '../sweep-file/parse-sweep-file.ts';
import { toYamlViolation } from '../sweep-file/yaml-path.ts';
import { globalOptions, resolveSweepId, withClient } from './client-command.ts';
import { describeRunTroubles } from '../describe/attempt-text.ts';
import { describeForecast, describePlan } from '../describe/plan-text.ts';
import { describeSweep, describeSweeps, requireRuns } from '../describe/sweep-text.ts';
import { watchToEnd } from './watch.ts';
import { GRAFT } from '../terminal/program-name.ts';

const STRICT = ['--strict', 'exit code 4 also where runs of the sweep failed or were infeasible'] as const;

interface StrictFlag {
  readonly strict?: true;
}

interface SubmitFlags extends StrictFlag {
  readonly requestId?: string;
  readonly watch?: true;
}

/** `graft sweep …`. */
export function addSweepCommands(program: Command, context: CliContext): void {
  const sweep = program.command('sweep').description('submit, watch and steer sweeps');
  sweep
    .command('submit <file>')
    .description('launch the sweep of a YAML file')
    .option('--request-id <id>', 'the same id with the same file gives the same sweep')
    .option('--watch', 'stay and show its progress')
    .option(...STRICT)
    .action(async (file: string, own: SubmitFlags, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, (client) => submit(context, options, client, file, own));
    });
  sweep
    .command('plan <file>')
    .description('say what the sweep would do, without doing it')
    .action(async (file: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      const spec = await loadSweepFile(file, context.cwd);
      await withClient(context, options, async (client) => {
        const plan = await inYamlTerms(file, spec, () => client.planSweep(spec));
        writeResult(context, options, plan, () => describePlan(plan));
      });
    });
  sweep
    .command('watch <id>')
    .description("show a sweep's progress to its end; Ctrl-C leaves it running")
    .option(...STRICT)
    .action(async (id: string, own: StrictFlag, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        endAccordingly(await watchToEnd(context, options, client, await resolveSweepId(client, id)), own);
      });
    });
  sweep
    .command('list')
    .description('all sweeps, newest first')
    .action(async (_own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const sweeps = await client.listSweeps();
        writeResult(context, options, sweeps, () => describeSweeps(sweeps));
      });
    });
  sweep
    .command('get <id>')
    .description('one sweep: where it stands, what its stages were expected to take and took')
    .option(...STRICT)
    .action(async (id: string, own: StrictFlag, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const sweepId = await resolveSweepId(client, id);
        const found = await client.getSweep(sweepId);
        const forecast = await client.getForecast(sweepId);
        const { startTime, endTime } = found;
        const compared = describeForecast(forecast, startTime, endTime);
        const runs = await client.listRuns(sweepId);
        const parts = [describeSweep(found, runs), compared, describeRunTroubles(runs)].filter((part) => part !== '');
        const text = parts.join('\n\n');
        writeResult(context, options, { ...found, forecast }, () => text);
        if (own.strict === true) endAccordingly(found, own);
      });
    });
  addSteering(sweep, context);
}

function addSteering(sweep: Command, context: CliContext): void {
  const steer = (
    name: string,
    description: string,
    takesReason: boolean,
    act: (client: GraftClient, sweepId: string, reason: string) => Promise<Sweep>,
  ): void => {
    const command = sweep.command(`${name} <id>`).description(description);
    if (takesReason) command.option('--reason <text>', 'kept and shown', '');
    command.action(async (id: string, own: { reason?: string }) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const changed = await act(client, await resolveSweepId(client, id), own.reason ?? '');
        writeResult(context, options, changed, () => describeSweep(changed));
      });
    });
  };
  steer('pause', 'lease nothing new; running work is saved and handed back', true, (client, id, reason) =>
    client.pauseSweep(id, reason),
  );
  steer('resume', 'go on after a pause', false, (client, id) => client.resumeSweep(id));
  steer('cancel', 'end a sweep; running work may be saved', true, (client, id, reason) =>
    client.cancelSweep(id, reason),
  );
}

async function submit(
  context: CliContext,
  options: GlobalOptions,
  client: GraftClient,
  file: string,
  own: SubmitFlags,
): Promise<void> {
  const spec = await loadSweepFile(file, context.cwd);
  const requestId = own.requestId ?? randomUUID();
  const created = await inYamlTerms(file, spec, () => client.createSweep(requestId, spec));
  if (own.watch === undefined) {
    writeResult(context, options, created, () => describeSubmission(created));
    return;
  }
  say(context, describeSubmission(created));
  endAccordingly(await watchToEnd(context, options, client, created.sweep.sweepId), own);
}

function describeSubmission({ sweep, duplicateCount, notes }: CreatedSweep): string {
  const left =
    duplicateCount === 0 ? '' : ` (${duplicateCount} that would have trained the same as another are left out)`;
  return [
    `Sweep ${sweep.sweepId} with ${sweep.runCount} runs${left}.`,
    ...notes,
    `Watch it:  ${GRAFT} sweep watch ${sweep.sweepId}`,
  ].join('\n');
}

/** Mistakes that only the coordinator finds are told with the paths of the file, too. */
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

/**
 * @throws CliError with the exit code for a sweep that did not succeed, with `--strict` also for one in which runs failed or were
 * infeasible.
 */
function endAccordingly(sweep: Sweep, { strict }: StrictFlag): void {
  requireRuns(sweep, strict === true);
  if (sweep.state !== 'FAILED' && sweep.state !== 'CANCELLED') return;
  const reason = sweep.stateReason === '' ? '' : `: ${sweep.stateReason}`;
  throw new CliError(`Sweep ${sweep.sweepId} ended ${sweep.state}${reason}`, EXIT.sweepNotSucceeded);
}
