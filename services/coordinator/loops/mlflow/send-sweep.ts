import { readWinnerStatement } from '../../store/explain/read-winner-statement.ts';
import type { MirroredSweep } from '../../store/outbox/read-mirrored.ts';
import type { TakenEntry } from '../../store/outbox/take-entries.ts';
import { datasetInput, sweepName, sweepStatus, sweepTags } from './mapping.ts';
import type { MirrorContext, PlacedSubject } from './mirror-context.ts';
import { sendModel } from './send-model.ts';
import { sendReport } from './send-report.ts';
import type { Step } from './steps.ts';

/** Returns the steps of a sweep, whose MLflow run is the parent of those of its runs. */
export function sweepSteps(
  context: MirrorContext,
  placed: PlacedSubject,
  sweep: MirroredSweep,
  entries: readonly TakenEntry[],
): Step[] {
  const of = (kind: TakenEntry['kind']): TakenEntry[] => entries.filter((entry) => entry.kind === kind);
  const [changes, reports, models] = [of('SWEEP'), of('REPORT'), of('MODEL')];
  const { client, place } = placed;
  const steps: Step[] = [];
  if (changes.length > 0) {
    steps.push({
      entries: changes,
      send: async () => {
        if (sweep.dataset !== null) await client.logInput(place.mlflowRunId, datasetInput(sweep.dataset));
        const winner = sweep.endMs === null ? null : await readWinnerStatement(context.pool, sweep.sweepId);
        await client.logBatch(place.mlflowRunId, { tags: sweepTags(sweep, winner) });
        const status = sweepStatus(sweep.state);
        // The name too: people may rename a sweep at any time.
        await client.updateRun(place.mlflowRunId, { status, endTime: sweep.endMs, runName: sweepName(sweep) });
      },
    });
  }
  if (models.length > 0) steps.push({ entries: models, send: () => sendModel(context, placed, sweep) });
  if (reports.length > 0) steps.push({ entries: reports, send: () => sendReport(context, placed, sweep) });
  return steps;
}
