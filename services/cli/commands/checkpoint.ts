import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import type { Checkpoint, Collected } from '../client/types.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { writeCheckpointCard } from '../client/checkpoint-card.ts';
import { formatBytes, formatMetric, formatTime } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { renderTable } from '../terminal/table.ts';
import { downloadCheckpointFile } from '../client/download-checkpoint.ts';
import { addCheckpointExport } from './export-checkpoint.ts';
import { globalOptions, LATEST, resolveSweepId, withClient } from './client-command.ts';

/** `graft checkpoint …`. */
export function addCheckpointCommands(program: Command, context: CliContext): void {
  const checkpoint = program.command('checkpoint').description('saved weights of runs');
  checkpoint
    .command('list [sweep]')
    .description('checkpoints of a sweep (default: the newest), or of one run')
    .option('--run <id>', 'of this run only')
    .action(async (id: string | undefined, own: { run?: string }, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const of = own.run === undefined ? { sweepId: await resolveSweepId(client, id ?? LATEST) } : { runId: own.run };
        const checkpoints = await client.listCheckpoints(of);
        writeResult(context, options, checkpoints, () => describeCheckpoints(checkpoints));
      });
    });
  checkpoint
    .command('download <id>')
    .description('save a checkpoint to a file; a cut download goes on where it stopped')
    .requiredOption('-o, --out <file>', 'where to')
    .action(async (id: string, own: { out: string }, command: Command) => {
      const options = globalOptions(command);
      const file = resolve(context.cwd, own.out);
      await withClient(context, options, async (client) => {
        const saved = await downloadCheckpointFile(client, id, file, {
          signal: context.signal,
          note: (text) => say(context, text),
        });
        await writeCheckpointCard(client, saved, file);
        const value = { file, checkpoint: saved };
        writeResult(context, options, value, () => `${file}: ${formatBytes(saved.sizeBytes)}, sha256 ${saved.sha256}`);
      });
    });
  for (const [name, pinned, what] of [
    ['pin', true, 'keep a checkpoint, whatever retention would do'],
    ['unpin', false, 'leave a pinned checkpoint to retention again'],
  ] as const) {
    checkpoint
      .command(`${name} <id>`)
      .description(what)
      .action(async (id: string, _own: object, command: Command) => {
        const options = globalOptions(command);
        await withClient(context, options, async (client) => {
          const saved = await client.pinCheckpoint(id, pinned);
          const text = `${saved.checkpointId}: ${saved.pinned ? 'pinned; it stays until it is unpinned' : 'not pinned'}.`;
          writeResult(context, options, saved, () => text);
        });
      });
  }
  checkpoint
    .command('gc')
    .description('remove checkpoints that nothing needs any more, as the coordinator does by itself a little later')
    .option('--dry-run', 'only say what would be removed')
    .option('--sweep <id>', 'of this sweep only')
    .option('--keep <number>', "best checkpoints kept of an ended sweep; default: the coordinator's setting")
    .action(async (own: { dryRun?: true; sweep?: string; keep?: string }, command: Command) => {
      const options = globalOptions(command);
      const keepBest = own.keep === undefined ? null : readKeep(own.keep);
      await withClient(context, options, async (client) => {
        const sweepId = own.sweep === undefined ? null : await resolveSweepId(client, own.sweep);
        const dryRun = own.dryRun ?? false;
        const collected = await client.collectCheckpoints({ sweepId, keepBest, dryRun });
        writeResult(context, options, collected, () => describeCollected(collected, dryRun));
      });
    });
  addCheckpointExport(checkpoint, context);
}

function readKeep(text: string): number {
  const keep = Number(text);
  if (Number.isSafeInteger(keep) && keep >= 1) return keep;
  throw new UsageError(`--keep: must be a whole number of at least 1; received '${text}'.`);
}

const REASONS: Readonly<Record<string, string>> = {
  RUN_ENDED: 'its run has ended, nothing resumes from it',
  NOT_AMONG_BEST: 'not of one of the best runs',
};

function describeCollected({ checkpoints, count, sizeBytes, keepBest }: Collected, dryRun: boolean): string {
  if (count === 0) return 'Every checkpoint is needed.';
  const table = renderTable(
    [
      { title: 'run' },
      { title: 'stage' },
      { title: 'epoch', align: 'right' },
      { title: 'kind' },
      { title: 'size', align: 'right' },
      { title: 'why' },
    ],
    checkpoints.map(({ checkpoint: { runId, stage, epoch, kind, sizeBytes: size }, reason }) => [
      runId,
      stage ?? '',
      String(epoch),
      kind ?? '',
      formatBytes(size),
      REASONS[reason] ?? reason,
    ]),
  );
  const more = count > checkpoints.length ? `\n… and ${count - checkpoints.length} more` : '';
  const what = `${count} ${count === 1 ? 'checkpoint' : 'checkpoints'}, ${formatBytes(sizeBytes)}`;
  return (
    `${table}${more}\n\n${dryRun ? 'Would remove' : 'Removing'} ${what}; ` +
    `of an ended sweep the best ${keepBest}, what was tested and what is pinned stay.`
  );
}

function describeCheckpoints(checkpoints: readonly Checkpoint[]): string {
  if (checkpoints.length === 0) return 'There are no checkpoints.';
  return renderTable(
    [
      { title: 'checkpoint' },
      { title: 'run' },
      { title: 'stage' },
      { title: 'epoch', align: 'right' },
      { title: 'kind' },
      { title: 'value', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'saved' },
      { title: '' },
    ],
    checkpoints.map((saved) => [
      saved.checkpointId,
      saved.runId,
      saved.stage ?? '',
      String(saved.epoch),
      saved.kind ?? '',
      formatMetric(saved.value),
      formatBytes(saved.sizeBytes),
      formatTime(saved.createTime),
      saved.pinned ? 'pinned' : '',
    ]),
  );
}
