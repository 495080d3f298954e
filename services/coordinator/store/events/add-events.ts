import type { SweepEvent } from '../../../core/records/event.ts';
import type { Batch } from '../../../platform/db/batch.ts';
import { textArray } from '../../../platform/db/binary-array.ts';
import { encodePayload } from './event.ts';

/** First key of the advisory locks that order the events of one sweep. */
const EVENT_LOCK_SPACE = 0x67726674;

/**
 * Adds the statement that writes events of one sweep. It must take the last lock of a transaction (store/README.md).
 *
 * The lock makes transactions of one sweep commit in the order of their event numbers: a number is drawn under the lock, which is
 * held to the commit. Without it a watcher could read number 8 while the transaction of number 7 is still open, move its
 * cursor to 8, and never see 7. Compared with reading only rows older than `pg_snapshot_xmin`, it costs one lock per
 * transaction and can't be held up by an unrelated long transaction in the same server.
 */
export function addEvents(batch: Batch, sweepId: string, events: readonly SweepEvent[]): void {
  batch.prepared(
    // The numbers are drawn for rows that come out of the join, so after the lock.
    `WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock($1, hashtext($2)))
       INSERT INTO events (sweep_id, kind, payload, create_time)
       SELECT $2, e.kind, e.payload::jsonb, clock_timestamp()
         FROM locked, unnest($3::text[], $4::text[]) WITH ORDINALITY AS e (kind, payload, position)
        ORDER BY e.position`,
    [EVENT_LOCK_SPACE, sweepId, textArray(events.map(({ kind }) => kind)), textArray(events.map(encodePayload))],
  );
}
