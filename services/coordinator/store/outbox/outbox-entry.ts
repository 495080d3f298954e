import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import type { Stage } from '../../../core/task.ts';
import type { SweepEvent } from '../../../core/records/event.ts';

/**
 * A pointer to rows that are to be mirrored, without their content. The content is read when the entry is sent, so an entry means the same
 * however late and however often it is sent.
 */
export type OutboxEntry =
  | { readonly kind: 'SWEEP' | 'REPORT' | 'MODEL' }
  | { readonly kind: 'RUN' | 'TEST_RESULT'; readonly runId: string }
  | {
      readonly kind: 'METRICS';
      readonly runId: string;
      readonly stage: Stage;
      readonly leaseEpoch: number;
      readonly epochs: readonly number[];
    };

/** Returns the entries that follow from an event. METRICS entries need the lease epoch, which events lack. */
export function entriesOf(event: SweepEvent): OutboxEntry[] {
  switch (event.kind) {
    case 'SWEEP_STATE':
      return isTerminalSweepState(event.state)
        ? [{ kind: 'SWEEP' }, { kind: 'REPORT' }, { kind: 'MODEL' }]
        : [{ kind: 'SWEEP' }];
    case 'RUN_STATE':
      return [{ kind: 'RUN', runId: event.runId }];
    case 'TEST_RESULT':
      return [{ kind: 'TEST_RESULT', runId: event.result.runId }];
    case 'EPOCH':
    case 'TASK':
      return [];
  }
}

/** Collects the entries of one transaction: one per sweep, run, result, and run's stage under a lease epoch. */
export class OutboxDraft {
  readonly #entries = new Map<string, { readonly sweepId: string; readonly entry: OutboxEntry; epochs: Set<number> }>();

  add(sweepId: string, entry: OutboxEntry): void {
    const key = `${sweepId} ${keyOf(entry)}`;
    const epochs = entry.kind === 'METRICS' ? entry.epochs : [];
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, { sweepId, entry, epochs: new Set(epochs) });
    else for (const epoch of epochs) known.epochs.add(epoch);
  }

  /** Entries in the order of their first addition. */
  get entries(): readonly { readonly sweepId: string; readonly entry: OutboxEntry }[] {
    return [...this.#entries.values()].map(({ sweepId, entry, epochs }) => ({
      sweepId,
      entry: entry.kind === 'METRICS' ? { ...entry, epochs: [...epochs] } : entry,
    }));
  }
}

function keyOf(entry: OutboxEntry): string {
  switch (entry.kind) {
    case 'SWEEP':
    case 'REPORT':
    case 'MODEL':
      return entry.kind;
    case 'RUN':
    case 'TEST_RESULT':
      return `${entry.kind} ${entry.runId}`;
    case 'METRICS':
      return `${entry.kind} ${entry.runId} ${entry.stage} ${entry.leaseEpoch}`;
  }
}
