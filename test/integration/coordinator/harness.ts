import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import type { RpcClient } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import type { ArtifactStore } from '../../../services/platform/artifacts/artifact-store.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { startCoordinator } from '../../../services/coordinator/coordinator.ts';
import type { Coordinator } from '../../../services/coordinator/coordinator.ts';
import { readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { WatchSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { createTestDatabase } from '../../support/database.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

export type SweepClient = RpcClient<typeof SweepServiceService>;
export type TrainerClient = RpcClient<typeof TrainerServiceService>;

export interface HarnessOptions {
  readonly leaseMs?: number;
  readonly reaperMs?: number;
  readonly retentionMs?: number;
  /** Further settings of the coordinator. */
  readonly env?: Readonly<Record<string, string>>;
  /** A migrated database that stays the caller's; one of the tests' server if not given. */
  readonly databaseUrl?: string;
}

/** A coordinator with a database and an artifact store of its own, and clients over real gRPC. */
export interface Harness extends AsyncDisposable {
  readonly coordinator: Coordinator;
  readonly sweeps: SweepClient['call'];
  readonly trainers: TrainerClient['call'];
  readonly artifacts: DirectoryArtifactStore;
  readonly databaseUrl: string;
  /** Rows of a statement. */
  query<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** A registered trainer. @param store the harness' folder if not given */
  trainer(trainerId: string, slotCount?: number, store?: ArtifactStore): Promise<SimulatedTrainer>;
  /** Submits a spec; the identity of the sweep. */
  submit(spec: SweepSpec): Promise<string>;
  /** Everything a watch gives until it ends. */
  watch(sweepId: string, cursor?: bigint): Promise<WatchSweepResponse[]>;
  /**
   * Stops the coordinator and starts another one on the same database; the clients of this harness end.
   *
   * @param between done while no coordinator runs.
   */
  restart(between?: () => Promise<void>): Promise<Harness>;
}

export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const database = options.databaseUrl === undefined ? await createTestDatabase() : null;
  const folder = await mkdtemp(join(tmpdir(), 'graft-coordinator-test-'));
  return launch(database?.url ?? options.databaseUrl ?? '', folder, options, async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });
}

async function launch(
  databaseUrl: string,
  folder: string,
  options: HarnessOptions,
  cleanUp: () => Promise<void>,
): Promise<Harness> {
  const config = readCoordinatorConfig({
    DATABASE_URL: databaseUrl,
    GRAFT_ARTIFACTS_DIR: folder,
    GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
    GRAFT_COORDINATOR_LEASE_MS: String(options.leaseMs ?? 30_000),
    GRAFT_COORDINATOR_REAPER_MS: String(options.reaperMs ?? 100),
    GRAFT_COORDINATOR_RETENTION_MS: String(options.retentionMs ?? 100),
    // A quarter of it is the loop's rhythm, which `loops.passes` waits for.
    GRAFT_COORDINATOR_ORPHAN_MS: '2000',
    GRAFT_COORDINATOR_DRAIN_MS: '3000',
    ...options.env,
    GRAFT_LOG_LEVEL: process.env['GRAFT_LOG_LEVEL'] ?? 'silent',
  });
  const coordinator = await startCoordinator(config, createLogger('coordinator', config.logLevel));
  const clientOptions = { addresses: [coordinator.address], retry: NO_RETRY };
  const sweepClient = createClient(SweepServiceService, clientOptions);
  const trainerClient = createClient(TrainerServiceService, clientOptions);
  const artifacts = new DirectoryArtifactStore(folder);
  const pool = createPool(databaseUrl, { applicationName: 'test', max: 2, log: createLogger('test', 'silent') });
  const stop = async (): Promise<void> => {
    sweepClient.close();
    trainerClient.close();
    await coordinator.stop();
  };
  return {
    coordinator,
    sweeps: sweepClient.call,
    trainers: trainerClient.call,
    artifacts,
    databaseUrl,
    query: async <R extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      (await pool.query<R>(text, [...values])).rows,
    trainer: async (trainerId, slotCount = 1, store: ArtifactStore = artifacts) => {
      const trainer = new SimulatedTrainer(trainerClient.call, store, trainerId);
      await trainer.register(slotCount);
      return trainer;
    },
    submit: async (spec) => {
      const { sweep } = await sweepClient.call.createSweep({ requestId: '', spec: sweepSpecToProto(spec) });
      if (!sweep) throw new Error('no sweep in the answer');
      return sweep.sweepId;
    },
    watch: async (sweepId, cursor = 0n) => {
      const events: WatchSweepResponse[] = [];
      for await (const event of sweepClient.call.watchSweep({ sweepId, cursor }, { deadlineMs: 20_000 }))
        events.push(event);
      return events;
    },
    restart: async (between) => {
      await stop();
      await between?.();
      await pool.end();
      return launch(databaseUrl, folder, options, cleanUp);
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await pool.end();
      await cleanUp();
    },
  };
}

/** Returns a spec of heads with different learning rates on one cached feature set; `changes` override it. */
export function specOf(changes: Partial<SweepSpec> = {}): SweepSpec {
  return {
    displayName: 'test',
    dataset: { path: '/data/animals', splitFractions: null, allowDuplicates: false, skipBadFiles: false },
    base: { backbone: 'vgg16', weights: 'random', image_size: 64, epochs: 3, method: 'cached' },
    parameters: [
      {
        name: 'optimizer.learning_rate',
        domain: { kind: 'values', values: [0.001, 0.01] },
        conditions: [],
      },
    ],
    strategy: 'grid',
    variants: [],
    maxRuns: null,
    seed: 1,
    objective: { metric: 'val_loss', goal: 'minimize' },
    testPolicy: 'winner',
    ...changes,
  };
}
