import { join, normalize } from 'node:path';
import sharp from 'sharp';
import { canBeBest } from '../../core/ranking.ts';
import { readRegularFile } from '../../platform/files/read-regular-file.ts';
import { isTerminalSweepState } from '../../core/states/sweep-state.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { TestPrediction } from '../../core/task.ts';
import type { GraftClient } from '../client/client-port.ts';
import { confidenceOf, mostWrong } from './report-data.ts';
import type { ReportData, TaskAttempt, TaskHistory, WrongImage } from './report-data.ts';

const THUMBNAIL_PIXELS = 96;
const MAX_WRONG_IMAGES = 24;
/** Silence that ends the events of a running sweep, which has no last event. */
const SILENCE_MS = 1_500;

/** Collects the data of a report from the coordinator, and the misclassified images from the local disk. */
export async function collectReport(client: GraftClient, sweepId: string, signal: AbortSignal): Promise<ReportData> {
  const sweep = await client.getSweep(sweepId);
  const [runs, leaderboard, metrics, events] = await Promise.all([
    client.listRuns(sweepId),
    client.getLeaderboard(sweepId),
    client.listEpochMetrics({ sweepId }),
    readEvents(client, sweep, signal),
  ]);
  const dataset = sweep.datasetId === null ? null : await client.getDataset(sweep.datasetId, sweepId);
  // The spec of a sweep from an older version may no longer be accepted; the report is useful without the plan.
  const plan = await client.planSweep(sweep.spec, null).catch(() => null);
  const compared = leaderboard.entries.filter(
    ({ testResult }) => testResult !== null && testResult.role !== 'EVERY_RUN',
  );
  const winner = leaderboard.entries.find(({ run, testResult }) => testResult !== null && canBeBest(run))?.run.runId;
  const wanted = new Set([
    ...compared.map(({ run }) => run.runId),
    ...(winner === undefined ? [] : [winner]),
    ...baseline(runs),
  ]);
  const predictions = new Map<string, readonly TestPrediction[]>();
  for (const { run, testResult } of leaderboard.entries) {
    if (testResult === null || !wanted.has(run.runId)) continue;
    predictions.set(run.runId, await client.listTestPredictions(run.runId));
  }
  const wrong = mostWrong(winner === undefined ? [] : (predictions.get(winner) ?? []));
  return {
    sweep,
    runs,
    leaderboard,
    metrics: withSharedHeads(runs, metrics),
    dataset,
    plan,
    tasks: foldTasks(events),
    predictions,
    wrongImages: await Promise.all(
      wrong
        .slice(0, MAX_WRONG_IMAGES)
        .map((prediction) => showWrong(dataset?.path ?? sweep.spec.dataset.path, prediction)),
    ),
    wrongCount: wrong.length,
    createTime: new Date(),
  };
}

/** Adds a shared head's metrics to the runs that share it: they are measured once, for the run that trained it. */
function withSharedHeads(
  runs: readonly RunRecord[],
  metrics: readonly EpochMetricRecord[],
): readonly EpochMetricRecord[] {
  const shared = runs.flatMap(({ runId, headRunId }) =>
    metrics
      .filter((metric) => metric.runId === headRunId && metric.stage === 'HEAD')
      .map((metric) => ({ ...metric, runId })),
  );
  return [...metrics, ...shared];
}

function baseline(runs: ReportData['runs']): readonly string[] {
  return runs.filter(({ runIndex }) => runIndex === 0).map(({ runId }) => runId);
}

async function readEvents(
  client: GraftClient,
  sweep: SweepRecord,
  signal: AbortSignal,
): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  const silent = new AbortController();
  const timer = isTerminalSweepState(sweep.state) ? null : setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    for await (const event of client.watchSweep(sweep.sweepId, 0n, AbortSignal.any([signal, silent.signal]))) {
      events.push(event);
      timer?.refresh();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!silent.signal.aborted) throw error;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
  return events;
}

/** Returns the attempts of every task in lease order. */
export function foldTasks(events: readonly StoredEvent[]): readonly TaskHistory[] {
  const tasks = new Map<string, { stage: TaskHistory['stage']; attempts: TaskAttempt[] }>();
  for (const { event, eventTime } of events) {
    if (event.kind !== 'TASK') continue;
    const task = tasks.get(event.taskId) ?? { stage: event.stage, attempts: [] };
    tasks.set(event.taskId, task);
    const last = task.attempts.at(-1);
    if (event.state === 'LEASED' || last === undefined) {
      const { trainerId, state, message } = event;
      task.attempts.push({ trainerId, startTime: eventTime, endTime: null, state, message });
    } else {
      task.attempts[task.attempts.length - 1] = {
        ...last,
        endTime: eventTime,
        state: event.state,
        message: event.message,
      };
    }
  }
  return [...tasks].map(([taskId, task]) => ({ taskId, ...task }));
}

async function showWrong(root: string, prediction: TestPrediction): Promise<WrongImage> {
  const { path, label, predictedLabel } = prediction;
  return { path, label, predictedLabel, confidence: confidenceOf(prediction), thumbnail: await thumbnail(root, path) };
}

/** Returns a small JPEG as a data URL; null if the local disk has no such image. */
export async function thumbnail(root: string, path: string): Promise<string | null> {
  const file = join(root, path);
  // The path comes over the network and must not leave the data set.
  if (!file.startsWith(normalize(`${root}/`))) return null;
  try {
    const jpeg = await sharp(await readRegularFile(file))
      .rotate()
      .flatten({ background: '#ffffff' })
      .resize(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: 80 })
      .toBuffer();
    return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
  } catch {
    return null;
  }
}
