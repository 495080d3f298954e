import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { Checkpoint } from '../client/types.ts';
import { writeCheckpointCard } from '../client/checkpoint-card.ts';
import { formatBytes, formatMetric, formatTime } from '../format.ts';
import { say, writeResult } from '../output.ts';
import { renderTable } from '../table.ts';
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
  addCheckpointExport(checkpoint, context);
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
    ]),
  );
}
