import process from 'node:process';
import { readVersion } from '../../platform/config/read-version.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { TestPrediction } from '../../core/task.ts';
import type { GraftClient, Leaderboard } from '../client/client-port.ts';
import { bestEntry, chartedMetrics, mostWrong, workersOf } from './report-data.ts';
import { comparesRuns } from '../describe/rung-text.ts';
import type { ReportData, SearchData } from './report-data.ts';
import { readTaskHistory } from './task-history.ts';
import { showWrong } from './wrong-images.ts';

const MAX_WRONG_IMAGES = 24;

/**
 * Collects the data of a report from the coordinator, and the misclassified images from the local disk. Lists are read by pages; of single
 * runs only the predictions of winner and baseline are read.
 */
export async function collectReport(client: GraftClient, sweepId: string, signal: AbortSignal): Promise<ReportData> {
  const sweep = await client.getSweep(sweepId);
  const [leaderboard, metrics, tasks, trainers, plan, search, front] = await Promise.all([
    client.getLeaderboard(sweepId),
    readCharted(client, sweep),
    readTaskHistory(client, sweep, signal),
    client.listTrainers(),
    // The spec of a sweep from an older version may no longer be accepted; the report is useful without the plan.
    // The plan of all runs: its own results are stored, and would otherwise be left out as results to reuse.
    client.planSweep({ ...sweep.spec, reuse: false }, null).catch(() => null),
    readSearch(client, sweepId),
    client.getParetoFront(sweepId),
  ]);
  const runs = leaderboard.entries.map(({ run }) => run).sort((a, b) => a.runIndex - b.runIndex);
  const dataset = sweep.datasetId === null ? null : await client.getDataset(sweep.datasetId, sweepId);
  const best = bestEntry({ leaderboard });
  const predictions = await readPredictions(client, leaderboard, best);
  const wrong = mostWrong(best === null ? [] : (predictions.get(best.run.runId) ?? []));
  const workers = workersOf(tasks);
  return {
    sweep,
    runs,
    repeats: await readRepeats(client, sweep),
    leaderboard,
    metrics,
    dataset,
    plan,
    tasks,
    search,
    front: front ?? [],
    predictions,
    wrongImages: await Promise.all(
      wrong
        .slice(0, MAX_WRONG_IMAGES)
        .map((prediction) => showWrong(dataset?.path ?? sweep.spec.dataset.path, prediction)),
    ),
    wrongCount: wrong.length,
    trainers: trainers.filter(({ trainerId }) => workers.has(trainerId)),
    bestCheckpointId: best === null ? null : await findCheckpoint(client, best),
    versions: { graft: readVersion(), node: process.versions.node },
    createTime: new Date(),
  };
}

/** Reads the repetitions of finalists; none where the sweep asks for none. */
async function readRepeats(client: GraftClient, { sweepId, spec }: SweepRecord): Promise<readonly RunRecord[]> {
  if (spec.finalists === undefined) return [];
  return (await client.listRuns(sweepId)).filter(({ repeatOfRunId }) => repeatOfRunId !== null);
}

async function readSearch(client: GraftClient, sweepId: string): Promise<SearchData | null> {
  const explanation = await client.explainSweep(sweepId, false);
  if (explanation === null || !comparesRuns(explanation)) return null;
  const entries = await client.listRungEntries(sweepId);
  return { explanation, entries, decisions: await client.listDecisions({ sweepId }) };
}

/** Reads the metrics that are drawn; the others are more than half of the rows. */
async function readCharted(client: GraftClient, { sweepId, spec }: SweepRecord): Promise<ReportData['metrics']> {
  const names = new Set(chartedMetrics(spec.objective.metric));
  const metrics = await client.listEpochMetrics({ sweepId });
  return metrics.filter(({ name }) => names.has(name));
}

async function readPredictions(
  client: GraftClient,
  { entries }: Leaderboard,
  best: LeaderboardRecord | null,
): Promise<ReadonlyMap<string, readonly TestPrediction[]>> {
  const wanted = entries.filter(
    ({ run, testResult }) => testResult !== null && (run.runId === best?.run.runId || run.runIndex === 0),
  );
  const lists = wanted.map(async ({ run }) => [run.runId, await client.listTestPredictions(run.runId)] as const);
  return new Map(await Promise.all(lists));
}

/** Returns the best run's best checkpoint, which may be that of the run that trained its head; null if none exists any more. */
async function findCheckpoint(client: GraftClient, { run, testResult }: LeaderboardRecord): Promise<string | null> {
  const owner = run.bestStage === 'HEAD' ? (run.headRunId ?? run.runId) : run.runId;
  const existing = await client.listCheckpoints({ runId: owner });
  const tested = existing.find(({ checkpointId }) => checkpointId === testResult?.checkpointId);
  const best = existing.findLast(({ kind, stage }) => kind === 'BEST' && stage === run.bestStage);
  return (tested ?? best)?.checkpointId ?? null;
}
