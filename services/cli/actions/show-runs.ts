import { resolveRun, resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { listedRunColumns } from '../describe/run-columns.ts';
import { describeRun, explainRun as explain } from '../describe/run-text.ts';
import type { ListFlags } from '../terminal/list.ts';
import { writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';
import { writeList } from './write-list.ts';

/** `graft run list`. */
export async function listRuns(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  flags: ListFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    const runs = await client.listRuns(sweepId);
    const { objective } = (await client.getSweep(sweepId)).spec;
    const columns = listedRunColumns(runs, objective.metric);
    writeList(context, options, { rows: runs, columns, flags, none: 'The sweep has no runs yet.' });
  });
}

/** `--sweep` of the commands that take a run. */
export interface RunFlags {
  readonly sweep?: string;
}

/** `graft run get`. */
export async function getRun(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  flags: RunFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const { run } = await client.getRun(await resolveRun(client, handle, flags.sweep));
    const explanation = run.rung === null ? null : await client.explainRun(run.runId);
    const visit = explanation?.visits.find(({ rung }) => rung.rung === run.rung) ?? null;
    writeResult(context, options, run, () => describeRun(run, visit));
  });
}

/** `graft run explain`. */
export async function explainRun(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  flags: RunFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const { run, attempts } = await client.getRun(await resolveRun(client, handle, flags.sweep));
    const explanation = await client.explainRun(run.runId);
    const sweep = await client.getSweep(run.sweepId);
    const { entries } = await client.getLeaderboard(run.sweepId);
    const entry = entries.find((candidate) => candidate.run.runId === run.runId) ?? null;
    const value = { run, attempts, rank: entry?.rank ?? null, testResult: entry?.testResult ?? null, ...explanation };
    writeResult(context, options, value, () => explain(run, attempts, sweep, entry, explanation, entries.length));
  });
}
