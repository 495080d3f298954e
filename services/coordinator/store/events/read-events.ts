import type { Pool } from 'pg';
import { decodePayload } from './event.ts';
import type { StoredEvent } from '../../../core/records/event.ts';

interface EventRow {
  readonly event_id: string;
  readonly kind: string;
  readonly payload: unknown;
  readonly create_time: Date;
}

/** Returns events of a sweep after `cursor`, oldest first, at most `limit`. */
export async function readEvents(pool: Pool, sweepId: string, cursor: bigint, limit: number): Promise<StoredEvent[]> {
  const { rows } = await pool.query<EventRow>(
    `SELECT event_id, kind, payload, create_time
       FROM events WHERE sweep_id = $1 AND event_id > $2 ORDER BY event_id LIMIT $3`,
    [sweepId, cursor.toString(), limit],
  );
  return rows.map((row) => ({
    cursor: BigInt(row.event_id),
    eventTime: row.create_time,
    event: decodePayload(row.kind, row.payload),
  }));
}

/** Returns the number of a sweep's last event; null when it has none. */
export async function readLastCursor(pool: Pool, sweepId: string): Promise<bigint | null> {
  const { rows } = await pool.query<{ last: string | null }>(
    'SELECT max(event_id) AS last FROM events WHERE sweep_id = $1',
    [sweepId],
  );
  const last = rows[0]?.last ?? null;
  return last === null ? null : BigInt(last);
}
