import type { DeadLetterRecord, MlflowStatusRecord } from '../../core/records/mlflow.ts';
import { countOf } from '../../core/text/count-of.ts';
import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { formatTime } from '../terminal/format.ts';
import { writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { renderFacts, renderTable } from '../terminal/table.ts';
import { withClient } from './with-client.ts';

/** `graft mlflow status`. */
export async function showMlflowStatus(context: CliContext, options: GlobalOptions): Promise<void> {
  await withClient(context, options, async (client) => {
    const status = await client.getMlflowStatus();
    const deadLetters = status.deadLetterCount === 0 ? [] : await client.listMlflowDeadLetters(null);
    writeResult(context, options, { ...status, deadLetters }, () => describeStatus(status, deadLetters));
  });
}

/** `graft mlflow retry`. */
export async function retryMlflow(
  context: CliContext,
  options: GlobalOptions,
  sweep: string | undefined,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = sweep === undefined ? null : await resolveSweep(client, sweep);
    const entryCount = await client.retryMlflowDeadLetters(sweepId);
    writeResult(context, options, { sweepId, entryCount }, () => describeCount(entryCount));
  });
}

/** `graft mlflow resend`. */
export async function resendToMlflow(context: CliContext, options: GlobalOptions, sweep: string): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, sweep);
    const entryCount = await client.resendToMlflow(sweepId);
    writeResult(context, options, { sweepId, entryCount }, () => describeCount(entryCount));
  });
}

function describeCount(entryCount: number): string {
  const changes = entryCount === 1 ? '1 change is' : `${entryCount} changes are`;
  return `${changes} queued. Check the progress:  ${GRAFT} mlflow status`;
}

function describeStatus(status: MlflowStatusRecord, deadLetters: readonly DeadLetterRecord[]): string {
  const { trackingUri, pendingEntryCount, pendingSubjectCount, deadLetterCount } = status;
  const pending =
    pendingEntryCount === 0
      ? 'nothing'
      : `${countOf(pendingEntryCount, 'change')} of ${countOf(pendingSubjectCount, 'sweep or run', 'sweeps and runs')}, the oldest from ${formatTime(status.oldestPendingTime)}`;
  const facts: [string, string][] = [
    ['server', trackingUri ?? 'none: nothing is mirrored (GRAFT_MLFLOW_TRACKING_URI of the coordinator)'],
    ['queued', pending],
    ['refused', deadLetterCount === 0 ? 'nothing' : `${deadLetterCount}; resend with ${GRAFT} mlflow retry`],
    ['last success', formatTime(status.successTime)],
  ];
  if (status.failureTime !== null) {
    facts.push(['last failure', `${formatTime(status.failureTime)}  ${status.errorCode}: ${status.errorMessage}`]);
  }
  if (status.nextTryTime !== null) {
    facts.push([
      'next attempt',
      `${formatTime(status.nextTryTime)}, after ${countOf(status.failureCount, 'failure')}${status.failureCount === 1 ? '' : ' in a row'}`,
    ]);
  }
  if (deadLetters.length === 0) return renderFacts(facts);
  const columns = ['refused', 'sweep', 'run', 'entry', 'sent', 'reason'];
  const table = renderTable(
    columns.map((title) => ({ title })),
    deadLetters.map((letter) => [
      formatTime(letter.deadTime),
      letter.sweepId,
      letter.runId ?? '',
      letter.kind,
      `${letter.attemptCount}×`,
      `${letter.errorCode}: ${letter.errorMessage}`,
    ]),
  );
  return `${renderFacts(facts)}\n\n${table}`;
}
