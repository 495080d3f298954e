import { MLFLOW_LIMITS, OLD_PARAM_VALUE_LENGTH } from '../../../platform/mlflow/limits.ts';
import type { MlflowMetric } from '../../../platform/mlflow/log-batch.ts';
import { isCode } from '../../../platform/mlflow/mlflow-client.ts';
import { MlflowError } from '../../../platform/mlflow/mlflow-error.ts';
import { recordDescribed, recordNotes } from '../../store/outbox/claim-subjects.ts';
import { readMirroredPoints, readMirroredTestResult } from '../../store/outbox/read-mirrored.ts';
import type { MirroredRun } from '../../store/outbox/read-mirrored.ts';
import type { TakenEntry } from '../../store/outbox/take-entries.ts';
import { withoutKnown } from './known-points.ts';
import { bestMetrics, datasetInput, pointMetrics, runParams, runStatus, runTags, testMetrics } from './mapping.ts';
import type { MirrorContext, PlacedSubject } from './mirror-context.ts';
import type { Step } from './steps.ts';

/** Returns the steps of a run. Its end is the last one, so a client that waits for FINISHED finds everything. */
export function runSteps(
  context: MirrorContext,
  placed: PlacedSubject,
  run: MirroredRun,
  entries: readonly TakenEntry[],
): Step[] {
  const of = (kind: TakenEntry['kind']): TakenEntry[] => entries.filter((entry) => entry.kind === kind);
  const [changes, metrics, tests] = [of('RUN'), of('METRICS'), of('TEST_RESULT')];
  const { client, place } = placed;
  const steps: Step[] = [];
  if (metrics.length > 0) {
    steps.push({
      entries: metrics,
      send: async () => {
        const points = pointMetrics(await readMirroredPoints(context.pool, run.runId, metrics));
        await logPoints(placed, points, metrics);
      },
    });
  }
  if (tests.length > 0) {
    steps.push({
      entries: tests,
      send: async () => {
        const result = await readMirroredTestResult(context.pool, run.runId);
        if (result === null) return;
        await logPoints(placed, testMetrics(result), tests);
        await client.logBatch(place.mlflowRunId, { tags: [{ key: 'graft.test_role', value: result.role }] });
      },
    });
  }
  if (changes.length > 0) {
    steps.push({ entries: changes, send: () => sendChange(context, placed, run, changes) });
  }
  return steps;
}

/**
 * Sends the state of a run. Parameters that MLflow refuses are reported at the end, once: they must not keep the run RUNNING for
 * ever. They are resent when a person retries the dead letter.
 */
async function sendChange(
  context: MirrorContext,
  placed: PlacedSubject,
  run: MirroredRun,
  changes: readonly TakenEntry[],
): Promise<void> {
  const { client, place, subject } = placed;
  const refusal = subject.isDescribed ? null : await refusalOf(() => describe(placed, run));
  await logPoints(placed, bestMetrics(run), changes);
  const hasNotes = run.notes !== '';
  // Before they are sent: should this process end in between, notes that are cleared later are cleared in MLflow too.
  if (hasNotes && !subject.hadNotes) await recordNotes(context.pool, subject, true);
  await client.logBatch(place.mlflowRunId, { tags: runTags(run, subject.hadNotes) });
  if (!hasNotes && subject.hadNotes) await recordNotes(context.pool, subject, false);
  const status = runStatus(run.state, run.hasStarted);
  await client.updateRun(place.mlflowRunId, { status, endTime: run.endMs });
  // Not earlier: the next attempt would skip the description and so lose the refusal.
  if (!subject.isDescribed) await recordDescribed(context.pool, subject);
  if (refusal !== null) throw refusal;
}

async function refusalOf(work: () => Promise<void>): Promise<MlflowError | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof MlflowError && error.kind === 'REFUSED') return error;
    throw error;
  }
}

async function logPoints(
  { client, place }: PlacedSubject,
  points: readonly MlflowMetric[],
  entries: readonly TakenEntry[],
): Promise<void> {
  const { mlflowRunId } = place;
  const isDoubtful = entries.some(({ isRepeated }) => isRepeated);
  const metrics = isDoubtful ? await withoutKnown(client, mlflowRunId, points) : points;
  await client.logBatch(mlflowRunId, { metrics });
}

/** Sends what never changes: parameters and data set. */
async function describe(placed: PlacedSubject, run: MirroredRun): Promise<void> {
  const { client, place } = placed;
  await logParams(placed, run);
  if (run.dataset !== null) await client.logInput(place.mlflowRunId, datasetInput(run.dataset));
}

/** Sends the parameters. MLflow 1 and early 2 accept short values only; the complete ones then go to a file of the run. */
async function logParams({ client, place }: PlacedSubject, run: MirroredRun): Promise<void> {
  try {
    const params = runParams(run, MLFLOW_LIMITS.paramValueLength);
    await client.logBatch(place.mlflowRunId, { params });
  } catch (error) {
    const isLong = run.parameters.some(({ value }) => value.length > OLD_PARAM_VALUE_LENGTH);
    if (!isLong || !isCode(error, 'INVALID_PARAMETER_VALUE')) throw error;
    await client.logBatch(place.mlflowRunId, { params: runParams(run, OLD_PARAM_VALUE_LENGTH) });
    const all = JSON.stringify(Object.fromEntries(run.parameters.map(({ name, value }) => [name, value])), null, 2);
    await client.putArtifact(place.artifactUri, 'parameters.json', Buffer.from(all), 'application/json');
  }
}
