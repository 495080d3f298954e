import type { TrainerRecord } from '../../core/records/trainer.ts';
import { resolveTrainer } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { formatTime } from '../terminal/format.ts';
import { writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { renderTable } from '../terminal/table.ts';
import { withClient } from './with-client.ts';

/** `graft trainers`. */
export async function listTrainers(context: CliContext, options: GlobalOptions): Promise<void> {
  await withClient(context, options, async (client) => {
    const trainers = await client.listTrainers();
    writeResult(context, options, trainers, () => describeTrainers(trainers));
  });
}

/** `graft trainers forget`. */
export async function forgetTrainer(context: CliContext, options: GlobalOptions, handle: string): Promise<void> {
  await withClient(context, options, async (client) => {
    const trainerId = await resolveTrainer(client, handle);
    await client.forgetTrainer(trainerId);
    const text = `${trainerId} is forgotten: the next trainer that registers with this id takes it.`;
    writeResult(context, options, { trainerId }, () => text);
  });
}

function describeTrainers(trainers: readonly TrainerRecord[]): string {
  const rows = trainers.flatMap((trainer) =>
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
  if (rows.length === 0) {
    return `No trainer has registered. Start one with \`${GRAFT} trainer\`, or all on this machine with \`${GRAFT} up\`.`;
  }
  const columns = ['trainer', 'host', 'state', 'slot', 'device', 'threads', 'task', 'refused', 'last heartbeat'];
  const table = renderTable(
    columns.map((title) => ({ title })),
    rows,
  );
  return [table, ...trainers.flatMap(drainedLine), ...benchLines(trainers)].join('\n');
}

function drainedLine({ trainerId, drainReason }: TrainerRecord): string[] {
  if (drainReason === null) return [];
  return [`${trainerId} is drained: ${drainReason} End the drain with \`${GRAFT} trainers forget ${trainerId}\`.`];
}

function workOf({ taskId, stage, benchReason }: TrainerRecord['slots'][number]): string {
  if (taskId !== null) return `${stage ?? ''} ${taskId}`;
  return benchReason === null ? 'idle' : 'benched';
}

/** Returns why slots lease no tasks, one line for each trainer and reason. */
function benchLines(trainers: readonly TrainerRecord[]): readonly string[] {
  return trainers.flatMap(({ trainerId, hostname, slots }) => {
    const reasons = new Set(slots.flatMap(({ benchReason }) => (benchReason === null ? [] : [benchReason])));
    return [...reasons].map((reason) => {
      const benched = slots.filter(({ benchReason }) => benchReason === reason).map(({ slotIndex }) => slotIndex);
      return `\n${trainerId} (${hostname}), slot ${benched.join(', ')}, is benched: ${reason}`;
    });
  });
}
