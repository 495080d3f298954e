import { createClient, NO_RETRY } from '../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../services/platform/rpc/convert/sweep.ts';
import { specOf } from '../integration/coordinator/harness.ts';
import { SweepServiceService } from '../../proto/gen/graft/v1/sweep_service.ts';
import { runOn } from './database-server.ts';

/** A running coordinator. */
export interface CallTarget {
  readonly coordinator: { readonly address: string };
}

export interface CallsOutcome {
  readonly answered: number;
  /** Distinct error messages of failed calls. */
  readonly failures: readonly string[];
  readonly seconds: number;
  /** Connections that the coordinators' pools requested and the server refused. */
  readonly refused: number;
}

const DEADLINE_MS = 60_000;
/** Connections of one coordinator: its pool, two listeners and the leadership. */
const WANTED = 13;

/**
 * Makes `count` concurrent calls without client retries, spread over coordinators. One in 75 submits a sweep (a caller may submit 8
 * concurrently); the others read.
 *
 * @param adminUrl URL of a role with reserved connections, to count the connections of the others.
 */
export async function callsAtOnce(
  targets: readonly CallTarget[],
  count: number,
  adminUrl: string,
): Promise<CallsOutcome> {
  const clients = targets.map(({ coordinator }) =>
    createClient(SweepServiceService, { addresses: [coordinator.address], retry: NO_RETRY }),
  );
  const spec = sweepSpecToProto(specOf());
  const { sweep } = (await clients[0]?.call.createSweep({ requestId: '', spec })) ?? {};
  const sweepId = sweep?.sweepId ?? '';
  const began = performance.now();
  const outcomes = await Promise.allSettled(
    Array.from({ length: count }, async (_, index) => {
      const client = clients[index % clients.length];
      if (client === undefined) throw new Error('no coordinator');
      const options = { deadlineMs: DEADLINE_MS };
      if (index % 75 === 0) await client.call.createSweep({ requestId: '', spec }, options);
      else await client.call.getSweep({ sweepId }, options);
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  const [rows] = await runOn(adminUrl, [
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'graft-coordinator'`,
  ]);
  for (const client of clients) client.close();
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
  return {
    answered: count - failed.length,
    failures: [...new Set(failed)],
    seconds,
    refused: targets.length * WANTED - Number(rows?.[0]?.['count']),
  };
}
