import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Stage } from '../../../proto/gen/graft/v1/run.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { startCoordinator } from '../../../services/coordinator/coordinator.ts';
import type { Coordinator } from '../../../services/coordinator/coordinator.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { scrape } from '../../support/scrape.ts';
import { specOf } from '../coordinator/harness.ts';
import { SimulatedTrainer } from '../coordinator/simulated-trainer.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function databaseAndFolder(): Promise<{ database: TestDatabase; folder: string }> {
  const database = await createTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'graft-operations-'));
  cleanups.push(() => database.drop());
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return { database, folder };
}

async function start(database: TestDatabase, folder: string): Promise<Coordinator & { port: number }> {
  const config = readCoordinatorConfig({
    DATABASE_URL: database.url,
    GRAFT_ARTIFACTS_DIR: folder,
    GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
    GRAFT_COORDINATOR_METRICS_LISTEN: '127.0.0.1:0',
    // `loops.passes` waits for each loop.
    GRAFT_COORDINATOR_REAPER_MS: '50',
    GRAFT_COORDINATOR_RETENTION_MS: '50',
    GRAFT_COORDINATOR_ORPHAN_MS: '400',
    GRAFT_COORDINATOR_DRAIN_MS: '1000',
  });
  const coordinator = await startCoordinator(config, createLogger('coordinator', 'silent'));
  cleanups.push(() => coordinator.stop());
  return { ...coordinator, port: coordinator.operationsPort ?? 0 };
}

function clientsOf(coordinator: Coordinator) {
  const options = { addresses: [coordinator.address], retry: NO_RETRY };
  const sweeps = createClient(SweepServiceService, options);
  const trainers = createClient(TrainerServiceService, options);
  cleanups.push(() => {
    sweeps.close();
    trainers.close();
  });
  return { sweeps: sweeps.call, trainers: trainers.call };
}

async function statusOf(port: number, path: string): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).status;
}

describe("the coordinator's operations port", () => {
  it('reports queue, leases, slots, retries and calls, and identifies no person', async () => {
    const { database, folder } = await databaseAndFolder();
    const coordinator = await start(database, folder);
    const { sweeps, trainers } = clientsOf(coordinator);
    const idle = await scrape(coordinator.port);
    expect(idle.value('graft_tasks', { stage: 'INDEX', state: 'READY' })).toBe(0);
    expect(idle.value('graft_trainer_heartbeat_age_seconds')).toBe(0);
    expect(idle.value('graft_outbox_rows', { state: 'pending' })).toBe(0);
    expect(idle.value('graft_outbox_age_seconds')).toBe(0);

    const { sweep } = await sweeps.createSweep({ requestId: '', spec: sweepSpecToProto(specOf()) });
    const queued = await scrape(coordinator.port);
    expect(queued.value('graft_tasks', { stage: 'INDEX', state: 'READY' })).toBe(1);
    expect(queued.value('graft_sweeps', { state: 'ACTIVE' })).toBe(1);

    const trainer = new SimulatedTrainer(trainers, new DirectoryArtifactStore(folder), 'trainer-with-a-name');
    await trainer.register(2);
    const task = await trainer.mustLease('INDEX');
    await trainer.heartbeat([task]);
    await expect(sweeps.getSweep({ sweepId: 's-unknown' })).rejects.toThrow();
    const leased = await scrape(coordinator.port);
    expect(leased.value('graft_tasks', { stage: 'INDEX', state: 'READY' })).toBe(0);
    expect(leased.value('graft_tasks', { stage: 'INDEX', state: 'RUNNING' })).toBe(1);
    expect(leased.value('graft_slots', { device_kind: 'cpu' })).toBe(2);
    expect(leased.value('graft_trainers', { state: 'READY' })).toBe(1);
    expect(leased.value('graft_leases_overdue')).toBe(0);
    expect(leased.value('graft_lease_age_seconds', { stage: 'INDEX' })).toBeGreaterThanOrEqual(0);
    expect(leased.value('graft_lease_age_seconds', { stage: 'INDEX' })).toBeLessThan(20);
    const method = (grpc_method: string, grpc_code: string) => ({
      grpc_service:
        grpc_method === 'Heartbeat' || grpc_method === 'LeaseTask'
          ? 'graft.v1.TrainerService'
          : 'graft.v1.SweepService',
      grpc_method,
      grpc_code,
    });
    expect(leased.value('grpc_server_handled_total', method('Heartbeat', 'OK'))).toBe(1);
    expect(leased.value('grpc_server_handled_total', method('LeaseTask', 'OK'))).toBe(1);
    expect(leased.value('grpc_server_handled_total', method('GetSweep', 'NOT_FOUND'))).toBe(1);

    await trainer.fail(task, { errorClass: 'COUNTED' });
    const failed = await scrape(coordinator.port);
    expect(failed.value('graft_task_retries', { error_class: 'COUNTED' })).toBe(1);
    expect(failed.value('graft_task_retries', { error_class: 'MEMORY' })).toBe(0);
    const values = [...failed.labels.values()].flatMap((set) => [...set]);
    for (const identity of ['trainer-with-a-name', sweep?.sweepId ?? '', task.taskId])
      expect(values).not.toContain(identity);
  });

  it('counts refused reports by method and reason, in calls and in streams', async () => {
    const { database, folder } = await databaseAndFolder();
    const coordinator = await start(database, folder);
    const { sweeps, trainers } = clientsOf(coordinator);
    const artifacts = new DirectoryArtifactStore(folder);
    const refused = async (method: string, reason: string) =>
      (await scrape(coordinator.port)).value('graft_reports_refused_total', { method, reason });
    await sweeps.createSweep({ requestId: '', spec: sweepSpecToProto(specOf()) });
    const trainer = new SimulatedTrainer(trainers, artifacts, 'honest');
    await trainer.register(1);
    const task = await trainer.mustLease('INDEX');
    expect(await refused('CompleteTask', 'REPORT_REFUSED')).toBe(0);
    await expect(trainer.fail(task, { code: 'no code' })).rejects.toMatchObject({ reason: 'REPORT_REFUSED' });
    expect(await refused('CompleteTask', 'REPORT_REFUSED')).toBe(1);

    const lie = { runId: 'r', stage: Stage.HEAD, epoch: 1, names: ['cheat'], values: [0.5] };
    const stranger = { ...trainer.proof(task), trainerId: 'stranger' };
    const answers = await trainer.report([
      { ...trainer.proof(task), sequence: 1n, epochs: [lie], rungs: [] },
      { ...stranger, sequence: 1n, epochs: [], rungs: [] },
    ]);
    // Batches of different claims are answered in any order.
    expect(answers.map(({ errorReason }) => errorReason).toSorted()).toEqual(['LEASE_NOT_HELD', 'REPORT_REFUSED']);
    expect(await refused('ReportMetrics', 'REPORT_REFUSED')).toBe(1);
    expect(await refused('ReportMetrics', 'LEASE_NOT_HELD')).toBe(1);
    await expect(trainers.releaseTask({ ...stranger, reason: 1 })).rejects.toMatchObject({ reason: 'LEASE_NOT_HELD' });
    expect(await refused('ReleaseTask', 'LEASE_NOT_HELD')).toBe(1);

    const thief = new (class extends SimulatedTrainer {
      override get trainerSecret(): string {
        return 'x'.repeat(43);
      }
    })(trainers, artifacts, 'honest');
    await expect(thief.register(1)).rejects.toMatchObject({ reason: 'TRAINER_ID_TAKEN' });
    expect(await refused('RegisterTrainer', 'TRAINER_ID_TAKEN')).toBe(1);
    for (const { path } of Object.values(TrainerServiceService)) {
      expect(await refused(path.slice(path.lastIndexOf('/') + 1), 'REPORT_REFUSED'), path).toBeDefined();
    }
    // What is no refusal is none here.
    await trainer.work(task);
    expect(await refused('CompleteTask', 'REPORT_REFUSED')).toBe(1);
    const all = await scrape(coordinator.port);
    expect([...(all.labels.get('reason') ?? [])].toSorted()).toEqual([
      'LEASE_NOT_HELD',
      'REPORT_REFUSED',
      'TRAINER_ID_TAKEN',
    ]);
  });

  it('has one leader among the replicas, and another one after its end', async () => {
    const { database, folder } = await databaseAndFolder();
    const first = await start(database, folder);
    await first.loops.passes();
    const second = await start(database, folder);
    await second.loops.passes();
    const leaders = async (...ports: number[]) =>
      Promise.all(ports.map(async (port) => (await scrape(port)).value('graft_coordinator_leader')));
    expect(await leaders(first.port, second.port)).toEqual([1, 0]);
    await first.stop();
    await second.loops.passes(2);
    expect(await leaders(second.port)).toEqual([1]);
  });

  it('is live but not ready without its database, and shows no old numbers', async () => {
    const { database, folder } = await databaseAndFolder();
    const { port } = await start(database, folder);
    expect(await statusOf(port, '/readyz')).toBe(200);
    await database.drop();
    expect(await statusOf(port, '/healthz')).toBe(200);
    expect(await statusOf(port, '/readyz')).toBe(503);
    const lost = await scrape(port);
    expect(lost.value('graft_coordinator_database_up')).toBe(0);
    expect(lost.value('graft_tasks', { stage: 'INDEX', state: 'READY' })).toBeUndefined();
    expect(lost.value('graft_leases_overdue')).toBeUndefined();
  });

  it('is off unless asked for', async () => {
    const { database, folder } = await databaseAndFolder();
    const config = readCoordinatorConfig({
      DATABASE_URL: database.url,
      GRAFT_ARTIFACTS_DIR: folder,
      GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
    });
    await using coordinator = await startCoordinator(config, createLogger('coordinator', 'silent'));
    expect(coordinator.operationsPort).toBeNull();
  });
});
