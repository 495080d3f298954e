import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { pairedBootstrap } from '../../core/statistics/paired-bootstrap.ts';
import type { PairedComparison } from '../../core/statistics/paired-bootstrap.ts';
import type { GraftClient } from '../client/client-port.ts';
import { resolveRun, resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeComparison, testedElsewhere } from '../describe/compare-text.ts';
import type { ComparedRun, EpochValue } from '../describe/compare-text.ts';
import { describeDiff, diffSpecs } from '../describe/diff-text.ts';
import type { DiffedSweep } from '../describe/diff-text.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { tableWidth } from '../terminal/list.ts';
import { writeResult } from '../terminal/output.ts';
import type { RunFlags } from './show-runs.ts';
import { withClient } from './with-client.ts';

/** `graft compare`. */
export async function compareRuns(
  context: CliContext,
  options: GlobalOptions,
  handles: readonly string[],
  { sweep }: RunFlags,
): Promise<void> {
  if (handles.length < 2) throw new UsageError(`A comparison needs at least two runs; received ${handles.length}.`);
  await withClient(context, options, async (client) => {
    const compared: ComparedRun[] = [];
    const sweeps = new Map<string, RankedSweep>();
    for (const named of handles) {
      const { run } = await client.getRun(await resolveRun(client, named, sweep));
      const ranked = sweeps.get(run.sweepId) ?? (await readSweep(client, run.sweepId));
      sweeps.set(run.sweepId, ranked);
      compared.push(await readRun(client, run, named, ranked));
    }
    const [first, second] = compared;
    if (first === undefined || second === undefined) return;
    const paired = compared.length === 2 ? await comparePaired(client, first, second) : null;
    const shown = compared.map(({ rank, run, testResult, sweep: { spec } }) => {
      return { rank, run, testResult, objective: spec.objective };
    });
    writeResult(context, options, { runs: shown, testDifference: paired }, () =>
      describeComparison(compared, paired, tableWidth(context.stdout)),
    );
  });
}

/** A sweep with its leaderboard. */
interface RankedSweep {
  readonly sweep: SweepRecord;
  readonly entries: readonly LeaderboardRecord[];
}

async function readSweep(client: GraftClient, sweepId: string): Promise<RankedSweep> {
  const sweep = await client.getSweep(sweepId);
  const { entries } = await client.getLeaderboard(sweepId);
  return { sweep, entries };
}

async function readRun(
  client: GraftClient,
  run: RunRecord,
  named: string,
  { sweep, entries }: RankedSweep,
): Promise<ComparedRun> {
  const entry = entries.find((candidate) => candidate.run.runId === run.runId) ?? { rank: 0, run, testResult: null };
  return { ...entry, named, sweep, epochs: await readEpochs(client, run) };
}

/** Returns the metrics by epoch. Those of a shared head belong to the run that trained it. */
async function readEpochs(client: GraftClient, run: RunRecord): Promise<readonly EpochValue[]> {
  const own = await client.listEpochMetrics({ runId: run.runId });
  const head = run.headRunId === null ? [] : await client.listEpochMetrics({ runId: run.headRunId });
  return [...head.filter(({ stage }) => stage === 'HEAD'), ...own]
    .sort((a, b) => Number(a.stage === 'FINE_TUNE') - Number(b.stage === 'FINE_TUNE') || a.epoch - b.epoch)
    .map(({ stage, epoch, name, value }) => ({ epoch: `${stage ?? ''} ${epoch}`, metric: name, value }));
}

/** Returns the difference on the test images; null unless both were tested on the same ones, of the same data set. */
async function comparePaired(
  client: GraftClient,
  first: ComparedRun,
  second: ComparedRun,
): Promise<PairedComparison | null> {
  if (first.testResult === null || second.testResult === null || testedElsewhere([first, second])) return null;
  const ours = await client.listTestPredictions(first.run.runId);
  const theirs = new Map((await client.listTestPredictions(second.run.runId)).map((one) => [one.path, one]));
  if (ours.length === 0 || ours.length !== theirs.size || ours.some(({ path }) => !theirs.has(path))) return null;
  return pairedBootstrap(
    ours.map(({ label, predictedLabel }) => label === predictedLabel),
    ours.map(({ path }) => theirs.get(path)?.label === theirs.get(path)?.predictedLabel),
    first.sweep.spec.seed,
  );
}

/** `graft sweep diff`. */
export async function diffSweeps(
  context: CliContext,
  options: GlobalOptions,
  handles: readonly [string, string],
): Promise<void> {
  await withClient(context, options, async (client) => {
    const first = await readDiffed(client, handles[0]);
    const second = await readDiffed(client, handles[1]);
    const differences = diffSpecs(first.sweep.spec, second.sweep.spec);
    writeResult(context, options, { sweeps: [first, second], differences }, () =>
      describeDiff([first, second], differences, tableWidth(context.stdout)),
    );
  });
}

async function readDiffed(client: GraftClient, handle: string): Promise<DiffedSweep> {
  const { sweep, entries } = await readSweep(client, await resolveSweep(client, handle));
  return { sweep, best: entries.find(({ run }) => run.runId === (sweep.winnerRunId ?? sweep.bestRunId)) ?? null };
}
