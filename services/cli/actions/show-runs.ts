import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeRun, describeRuns, explainRun as explain } from '../describe/run-text.ts';
import { writeResult } from '../terminal/output.ts';
import { resolveSweepId, withClient } from './with-client.ts';

/** `graft run list`. */
export async function listRuns(context: CliContext, options: GlobalOptions, sweep: string): Promise<void> {
  await withClient(context, options, async (client) => {
    const runs = await client.listRuns(await resolveSweepId(client, sweep));
    writeResult(context, options, runs, () => describeRuns(runs));
  });
}

/** `graft run get`. */
export async function getRun(context: CliContext, options: GlobalOptions, runId: string): Promise<void> {
  await withClient(context, options, async (client) => {
    const { run } = await client.getRun(runId);
    writeResult(context, options, run, () => describeRun(run));
  });
}

/** `graft run explain`. */
export async function explainRun(context: CliContext, options: GlobalOptions, runId: string): Promise<void> {
  await withClient(context, options, async (client) => {
    const { run, attempts } = await client.getRun(runId);
    const sweep = await client.getSweep(run.sweepId);
    const { entries } = await client.getLeaderboard(run.sweepId);
    const entry = entries.find((candidate) => candidate.run.runId === run.runId) ?? null;
    const value = { run, attempts, rank: entry?.rank ?? null, testResult: entry?.testResult ?? null };
    writeResult(context, options, value, () => explain(run, attempts, sweep, entry));
  });
}
