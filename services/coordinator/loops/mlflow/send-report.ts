import { readSummary } from '../../store/outbox/read-summary.ts';
import type { MirroredSweep } from '../../store/outbox/read-mirrored.ts';
import type { MirrorContext, PlacedSubject } from './mirror-context.ts';
import { describeSummary } from './model-files.ts';

/** Sends the report of an ended sweep, and the top of its leaderboard as the description of the run. Idempotent. */
export async function sendReport(
  { pool, makeReport }: MirrorContext,
  { client, place, signal }: PlacedSubject,
  sweep: MirroredSweep,
): Promise<void> {
  const summary = describeSummary(sweep, await readSummary(pool, sweep.sweepId));
  await client.logBatch(place.mlflowRunId, { tags: [{ key: 'mlflow.note.content', value: summary }] });
  const report = await makeReport(sweep.sweepId, signal);
  await client.putArtifact(place.artifactUri, 'report.html', report, 'text/html');
}
