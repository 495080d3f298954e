import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { measureCoordinatorMemory } from '../coordinator/memory.ts';
import { measureScheduler } from '../coordinator/scheduler.ts';
import type { BenchContext } from './context.ts';
import type { Row } from './row.ts';

const MEMORY_SECONDS = 60;
const MEMORY_LIMIT_BYTES = 300e6;
/** Growth from the first to the last third that is attributed to garbage collection. */
const FLAT = 1.1;

export async function coordinatorMemory({ folder, say }: BenchContext): Promise<Row> {
  say('memory of the coordinator: 10,000 runs, 500 watchers');
  const memory = await measureCoordinatorMemory(mkdtempSync(join(folder, 'memory-')), MEMORY_SECONDS);
  const isFlat = memory.lastBytes <= FLAT * memory.firstBytes;
  return {
    work: `coordinator's memory, ${memory.runCount} runs, ${memory.watcherCount} watchers`,
    peer: '–',
    peerFigure: '',
    graftFigure: megabytes(memory.highestBytes),
    ratio: null,
    target: '≤ 300 MB, flat',
    isMet: memory.highestBytes <= MEMORY_LIMIT_BYTES && isFlat,
    accuracies: '',
    notes: [
      `${MEMORY_SECONDS} s with ${memory.deliveredCount} events delivered; mean of the first third ` +
        `${megabytes(memory.firstBytes)}, of the last ${megabytes(memory.lastBytes)}.`,
    ],
  };
}

export async function scheduler({ folder, say }: BenchContext): Promise<Row> {
  say('scheduling of 10,000 one-second tasks on 16 slots');
  const options = { taskCount: 10_000, slotCount: 16, folder: mkdtempSync(join(folder, 'scheduler-')), say };
  const measured = await measureScheduler(options);
  return {
    work: `scheduling ${options.taskCount} one-second tasks on ${options.slotCount} slots`,
    peer: 'Ray Tune, as published',
    peerFigure: '715 s',
    graftFigure: `${measured.seconds.toFixed(0)} s`,
    ratio: 715 / measured.seconds,
    target: '≤ 634 s',
    isMet: measured.taskCount === options.taskCount && measured.seconds <= measured.targetSeconds,
    accuracies: '',
    notes: [
      `Ideal: ${measured.idealSeconds.toFixed(0)} s. The coordinator used ${measured.coordinatorCpuSeconds.toFixed(1)} s of ` +
        `processor time. ${measured.between} The peer was not run here: its figure is that of its documentation, for its own machine.`,
    ],
  };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
