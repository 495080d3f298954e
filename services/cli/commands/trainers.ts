import type { Command } from 'commander';
import type { Trainer } from '../client/types.ts';
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
            slot.taskId === null
              ? slot.benchReason === null
                ? 'idle'
                : 'benched'
              : `${slot.stage ?? ''} ${slot.taskId}`,
            formatTime(trainer.heartbeatTime),
          ]),
        );
        const columns = ['trainer', 'host', 'state', 'slot', 'device', 'threads', 'works on', 'last sign of life'];
        writeResult(context, options, trainers, () =>
          rows.length === 0
            ? `No trainer has registered. Start one with \`${GRAFT} trainer\`, or all on this machine with \`${GRAFT} up\`.`
            : [
                renderTable(
                  columns.map((title) => ({ title })),
                  rows,
                ),
                ...benchLines(trainers),
              ].join('\n'),
        );
      });
    });
}

/** Why slots get no tasks; slots of one trainer with the same reason together. */
function benchLines(trainers: readonly Trainer[]): readonly string[] {
  return trainers.flatMap(({ trainerId, hostname, slots }) => {
    const reasons = new Set(slots.flatMap(({ benchReason }) => (benchReason === null ? [] : [benchReason])));
    return [...reasons].map((reason) => {
      const benched = slots.filter(({ benchReason }) => benchReason === reason).map(({ slotIndex }) => slotIndex);
      return `\n${trainerId} (${hostname}), slot ${benched.join(', ')}, is benched: ${reason}`;
    });
  });
}
