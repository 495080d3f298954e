import { resolve } from 'node:path';
import { LATEST } from '../../core/handle.ts';
import { writeCheckpointCard } from '../client/checkpoint-card.ts';
import { downloadCheckpointFile } from '../client/download-checkpoint.ts';
import { resolveCheckpoint, resolveRun, resolveSweep } from '../client/handles.ts';
import type { CheckpointRecord } from '../../core/records/checkpoint.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { Collected } from '../client/client-port.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { formatBytes, formatMetric, formatTime } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { prepareOutputFile, refuseStandardOutput } from '../terminal/output-file.ts';
import type { ListColumn, ListFlags } from '../terminal/list.ts';
import { renderTable } from '../terminal/table.ts';
import { writeList } from './write-list.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft checkpoint gc`. */
export interface CollectFlags {
  readonly dryRun?: true;
  readonly sweep?: string;
  readonly keep?: string;
}

/** `graft checkpoint list`. */
export async function listCheckpoints(
  context: CliContext,
  options: GlobalOptions,
  sweep: string | undefined,
  { run, ...flags }: ListFlags & { readonly run?: string },
): Promise<void> {
  await withClient(context, options, async (client) => {
    const of =
      run === undefined
        ? { sweepId: await resolveSweep(client, sweep ?? LATEST) }
        : { runId: await resolveRun(client, run, sweep) };
    const checkpoints = await client.listCheckpoints(of);
    writeList(context, options, {
      rows: checkpoints,
      columns: CHECKPOINT_COLUMNS,
      flags,
      none: 'There are no checkpoints.',
    });
  });
}

/** `graft checkpoint download`. */
export async function downloadCheckpoint(
  context: CliContext,
  options: GlobalOptions,
  id: string,
  out: string,
): Promise<void> {
  refuseStandardOutput(out, '--out');
  const file = resolve(context.cwd, out);
  await prepareOutputFile(file, '--out');
  await withClient(context, options, async (client) => {
    const saved = await downloadCheckpointFile(client, await resolveCheckpoint(client, id), file, {
      signal: context.signal,
      note: (text) => say(context, text),
    });
    await writeCheckpointCard(client, saved, file);
    const value = { file, checkpoint: saved };
    writeResult(context, options, value, () => `${file}: ${formatBytes(saved.sizeBytes)}, sha256 ${saved.sha256}`);
  });
}

/** `graft checkpoint pin` and `unpin`. */
export async function pinCheckpoint(
  context: CliContext,
  options: GlobalOptions,
  id: string,
  pinned: boolean,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const saved = await client.pinCheckpoint(await resolveCheckpoint(client, id), pinned);
    const text = `${saved.checkpointId}: ${saved.pinned ? 'pinned; it is kept until it is unpinned' : 'not pinned'}.`;
    writeResult(context, options, saved, () => text);
  });
}

/** `graft checkpoint gc`. */
export async function collectCheckpoints(
  context: CliContext,
  options: GlobalOptions,
  flags: CollectFlags,
): Promise<void> {
  const keepBest = flags.keep === undefined ? null : readKeep(flags.keep);
  await withClient(context, options, async (client) => {
    const sweepId = flags.sweep === undefined ? null : await resolveSweep(client, flags.sweep);
    const dryRun = flags.dryRun ?? false;
    const collected = await client.collectCheckpoints({ sweepId, keepBest, dryRun });
    writeResult(context, options, collected, () => describeCollected(collected, dryRun));
  });
}

function readKeep(text: string): number {
  const keep = Number(text);
  if (Number.isSafeInteger(keep) && keep >= 1) return keep;
  throw new UsageError(`--keep: must be an integer of at least 1; received '${text}'.`);
}

const REASONS: Readonly<Record<string, string>> = {
  RUN_ENDED: 'its run has ended',
  RUN_WAITS: 'its run waits at a rung',
  NOT_AMONG_BEST: 'not among the best',
};

function describeCollected({ checkpoints, count, sizeBytes, keepBest }: Collected, dryRun: boolean): string {
  if (count === 0) return 'There is no unneeded checkpoint.';
  const table = renderTable(
    [
      { title: 'run' },
      { title: 'stage' },
      { title: 'epoch', align: 'right' },
      { title: 'kind' },
      { title: 'size', align: 'right' },
      { title: 'reason' },
    ],
    checkpoints.map(({ checkpoint: { runId, stage, epoch, kind, sizeBytes: size }, reason }) => [
      runId,
      stage ?? 'unknown',
      String(epoch),
      kind ?? 'unknown',
      formatBytes(size),
      REASONS[reason] ?? reason,
    ]),
  );
  const more = count > checkpoints.length ? `\n… and ${count - checkpoints.length} more` : '';
  const what = `${countOf(count, 'checkpoint')}, ${formatBytes(sizeBytes)}`;
  return (
    `${table}${more}\n\n${dryRun ? 'Would remove' : 'Removing'} ${what}; ` +
    `the best ${keepBest} of an ended sweep, tested and pinned checkpoints are kept.`
  );
}

const CHECKPOINT_COLUMNS: readonly ListColumn<CheckpointRecord>[] = [
  { name: 'checkpoint', title: 'checkpoint', rank: 0, cell: ({ checkpointId }) => checkpointId },
  { name: 'run', title: 'run', rank: 10, cell: ({ runId }) => runId },
  { name: 'stage', title: 'stage', rank: 40, cell: ({ stage }) => stage ?? '' },
  {
    name: 'epoch',
    title: 'epoch',
    align: 'right',
    rank: 20,
    cell: ({ epoch }) => String(epoch),
    key: ({ epoch }) => epoch,
  },
  { name: 'kind', title: 'kind', rank: 30, cell: ({ kind }) => kind ?? '' },
  {
    name: 'value',
    title: 'value',
    align: 'right',
    rank: 15,
    cell: ({ value }) => formatMetric(value),
    key: ({ value }) => value,
  },
  {
    name: 'size',
    title: 'size',
    align: 'right',
    rank: 60,
    cell: ({ sizeBytes }) => formatBytes(sizeBytes),
    key: ({ sizeBytes }) => sizeBytes,
  },
  {
    name: 'saved',
    title: 'saved',
    rank: 70,
    cell: ({ createTime }) => formatTime(createTime),
    key: ({ createTime }) => createTime.getTime(),
  },
  { name: 'pinned', title: '', rank: 50, cell: ({ pinned }) => (pinned ? 'pinned' : '') },
];
