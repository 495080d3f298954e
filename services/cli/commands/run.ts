import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { writeResult } from '../terminal/output.ts';
import { globalOptions, resolveSweepId, withClient } from './client-command.ts';
import { describeRun, describeRuns, explainRun } from '../describe/run-text.ts';

/** `graft run …`. */
export function addRunCommands(program: Command, context: CliContext): void {
  const run = program.command('run').description('the variants of a sweep');
  run
    .command('list <sweep>')
    .description('all runs of a sweep, by number')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const runs = await client.listRuns(await resolveSweepId(client, id));
        writeResult(context, options, runs, () => describeRuns(runs));
      });
    });
  run
    .command('get <run>')
    .description('one run with all its parameters')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const { run: found } = await client.getRun(id);
        writeResult(context, options, found, () => describeRun(found));
      });
    });
  run
    .command('explain <run>')
    .description('what happened to a run: every attempt, and why it is in its state')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const { run: found, attempts } = await client.getRun(id);
        const sweep = await client.getSweep(found.sweepId);
        const { entries } = await client.getLeaderboard(found.sweepId);
        const entry = entries.find((candidate) => candidate.run.runId === found.runId) ?? null;
        const value = { run: found, attempts, rank: entry?.rank ?? null, testResult: entry?.testResult ?? null };
        writeResult(context, options, value, () => explainRun(found, attempts, sweep, entry));
      });
    });
}
