import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { formatTime } from '../format.ts';
import { writeResult } from '../output.ts';
import { renderTable } from '../table.ts';
import { globalOptions, withClient } from './client-command.ts';
import { GRAFT } from '../program-name.ts';

/** `graft trainers`. */
export function addTrainersCommand(program: Command, context: CliContext): void {
  program
    .command('trainers')
    .description('the trainers and what their slots do')
    .action(async (_own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const trainers = await client.listTrainers();
        const rows = trainers.flatMap((trainer) =>
          trainer.slots.map((slot) => [
            trainer.trainerId,
            trainer.hostname,
            trainer.state,
            String(slot.slotIndex),
            `${slot.deviceKind} ${slot.deviceName}`.trim(),
            String(slot.threadCount),
            slot.taskId === null ? 'idle' : `${slot.stage ?? ''} ${slot.taskId}`,
            formatTime(trainer.heartbeatTime),
          ]),
        );
        const columns = ['trainer', 'host', 'state', 'slot', 'device', 'threads', 'works on', 'last sign of life'];
        writeResult(context, options, trainers, () =>
          rows.length === 0
            ? `No trainer has registered. Start one with \`${GRAFT} trainer\`, or all on this machine with \`${GRAFT} up\`.`
            : renderTable(
                columns.map((title) => ({ title })),
                rows,
              ),
        );
      });
    });
}
