import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { createClient, NO_RETRY } from '../../services/platform/rpc/client.ts';
import { typescriptLoader } from '../../services/platform/lifecycle/node-program.ts';
import { SweepSpec } from '../../proto/gen/graft/v1/sweep.ts';
import { RegisterTrainerRequest, TrainerServiceService } from '../../proto/gen/graft/v1/trainer_service.ts';
import { readVersion } from '../../services/platform/config/read-version.ts';
import type { CoordinatorProcess } from '../support/coordinator-process.ts';
import { largeSpec } from './worst-requests.ts';

const CLIENT_COUNT = 8;
/** Pause between two measured calls of a kind. */
const PAUSE_MS = 50;

export interface WorstOptions {
  readonly coordinator: CoordinatorProcess;
  readonly seconds: number;
  /** Runs of the large sweeps, at most 10,000. */
  readonly runCount: number;
}

/** Latencies in milliseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface WorstFindings {
  /** Latencies by call: GetSweep, Heartbeat, LeaseTask. */
  readonly cheap: Readonly<Record<string, Latencies>>;
  /** Calls of the hostile clients by call and status. */
  readonly hostile: Readonly<Record<string, number>>;
  /** Polls of the leader's lease; `leaderLost` counts those that found it expired. */
  readonly leaderPolls: number;
  readonly leaderLost: number;
  readonly trainerState: string;
  readonly highestBytes: number;
  /** One-minute load average of the machine before and after. */
  readonly load: readonly [number, number];
}

/** Measures cheap calls while eight hostile clients send the costliest requests within the limits. */
export async function measureWorst({ coordinator, seconds, runCount }: WorstOptions): Promise<WorstFindings> {
  const before = loadavg()[0] ?? 0;
  const pool = new pg.Pool({ connectionString: coordinator.databaseUrl, max: 1 });
  pool.on('error', () => undefined);
  const addresses = [coordinator.address];
  const trainers = createClient(TrainerServiceService, { addresses, retry: NO_RETRY });
  const { createSweep, getSweep, pauseSweep } = coordinator.sweeps.call;
  const patient = { deadlineMs: 120_000 };
  const large = await createSweep({ requestId: '', spec: largeSpec(runCount) }, patient);
  const small = await createSweep(
    { requestId: '', spec: SweepSpec.fromPartial({ dataset: { path: '/data' } }) },
    patient,
  );
  const trainerId = 'polite';
  const trainerSecret = 'p'.repeat(43);
  const slot = { slotIndex: 0, deviceKind: 'cpu', deviceName: 'cpu', memoryBytes: 1_000_000_000n, threadCount: 1 };
  const trainer = { trainerId, hostname: 'here', version: readVersion(), engineVersion: '1', state: '' };
  await trainers.call.registerTrainer(
    RegisterTrainerRequest.fromPartial({ trainer: { ...trainer, slots: [slot] }, trainerSecret }),
  );
  // Lease requests find no task: only the duration of the call is measured.
  for (const { sweep } of [large, small]) await pauseSweep({ sweepId: sweep?.sweepId ?? '', reason: 'measured' });
  const hostile = startHostile(coordinator.address, large.sweep?.sweepId ?? '', runCount);
  const until = performance.now() + seconds * 1_000;
  const cheap: Record<string, number[]> = {};
  const measure = async (name: string, call: () => Promise<unknown>): Promise<void> => {
    const taken: number[] = (cheap[name] = []);
    while (performance.now() < until) {
      const begin = performance.now();
      await call();
      taken.push(performance.now() - begin);
      await sleep(PAUSE_MS);
    }
  };
  let leaderPolls = 0;
  let leaderLost = 0;
  let highestBytes = 0;
  const watchLeader = async (): Promise<void> => {
    while (performance.now() < until) {
      const { rows } = await pool.query<{ lives: boolean }>('SELECT expire_time > now() AS lives FROM leader_leases');
      leaderPolls += 1;
      if (rows[0]?.lives !== true) leaderLost += 1;
      highestBytes = Math.max(highestBytes, coordinator.residentBytes);
      await sleep(200);
    }
  };
  let request = 0;
  await Promise.all([
    measure('GetSweep', () => getSweep({ sweepId: small.sweep?.sweepId ?? '' }, patient)),
    measure('Heartbeat', () =>
      trainers.call.heartbeat({ trainerId, trainerSecret, tasks: [], draining: false }, patient),
    ),
    measure('LeaseTask', () => {
      request += 1;
      const speaker = { trainerId, trainerSecret, slotIndex: 0 };
      const lease = { ...speaker, requestId: `r${request}`, heldFeatureKeys: [], waitDuration: undefined };
      return trainers.call.leaseTask(lease, patient);
    }),
    watchLeader(),
  ]);
  const ended = await hostile.end();
  const { rows } = await pool.query<{ state: string }>('SELECT state FROM trainers WHERE trainer_id = $1', [trainerId]);
  await pool.end();
  trainers.close();
  return {
    cheap: Object.fromEntries(Object.entries(cheap).map(([name, taken]) => [name, latenciesOf(taken)])),
    hostile: ended,
    leaderPolls,
    leaderLost,
    trainerState: rows[0]?.state ?? '',
    highestBytes,
    load: [before, loadavg()[0] ?? 0],
  };
}

function startHostile(
  address: string,
  sweepId: string,
  runCount: number,
): { end(): Promise<Readonly<Record<string, number>>> } {
  const script = fileURLToPath(new URL('worst-client.ts', import.meta.url));
  const args = [...typescriptLoader(), script, address, sweepId, String(runCount), String(CLIENT_COUNT)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const output = text(child.stdout);
  const exited = once(child, 'exit');
  return {
    end: async () => {
      child.stdin.end();
      await exited;
      return JSON.parse(await output) as Record<string, number>;
    },
  };
}

function latenciesOf(taken: readonly number[]): Latencies {
  const sorted = [...taken].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}
