import type { Command } from 'commander';
import type { Trainer } from '../client/types.ts';
import type { CliContext } from '../context/cli-context.ts';
import { formatTime } from '../terminal/format.ts';
import { writeResult } from '../terminal/output.ts';
import { renderTable } from '../terminal/table.ts';
import { globalOptions, withClient } from './client-command.ts';
import { GRAFT } from '../terminal/program-name.ts';

/** `graft trainers`. */
export function addTrainersCommand(program: Command, context: CliContext): void {
  const trainers = program.command('trainers').description('the trainers and what their slots do');
  trainers
    .command('forget <trainer-id>')
    .description(
      'let another process take the id of a LOST trainer (its disk was replaced, say), or let a drained one work again; for administrators',
    )
    .action(async (trainerId: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        await client.forgetTrainer(trainerId);
        const text = `${trainerId} is forgotten: the next trainer that registers with this id has it.`;
        writeResult(context, options, { trainerId }, () => text);
      });
    });
  trainers.action(async (_own: unknown, command: Command) => {
    const options = globalOptions(command);
    await withClient(context, options, async (client) => {
      const listed = await client.listTrainers();
      const rows = listed.flatMap((trainer) =>
        trainer.slots.map((slot) => [
          trainer.trainerId,
          trainer.hostname,
          trainer.state,
          String(slot.slotIndex),
          `${slot.deviceKind} ${slot.deviceName}`.trim(),
          String(slot.threadCount),
          workOf(slot),
          String(trainer.refusalCount),
          formatTime(trainer.heartbeatTime),
        ]),
      );
      const columns = [
        'trainer',
        'host',
        'state',
        'slot',
        'device',
        'threads',
        'works on',
        'refused',
        'last sign of life',
      ];
      writeResult(context, options, listed, () =>
        rows.length === 0
          ? `No trainer has registered. Start one with \`${GRAFT} trainer\`, or all on this machine with \`${GRAFT} up\`.`
          : [
              renderTable(
                columns.map((title) => ({ title })),
                rows,
              ),
              ...listed.flatMap(drainedLine),
              ...benchLines(listed),
            ].join('\n'),
      );
    });
  });
}

function drainedLine({ trainerId, drainReason }: Trainer): string[] {
  if (drainReason === null) return [];
  return [
    `${trainerId} gets no more work: ${drainReason} Let it work again with \`${GRAFT} trainers forget ${trainerId}\`.`,
  ];
}

function workOf({ taskId, stage, benchReason }: Trainer['slots'][number]): string {
  if (taskId !== null) return `${stage ?? ''} ${taskId}`;
  return benchReason === null ? 'idle' : 'benched';
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
