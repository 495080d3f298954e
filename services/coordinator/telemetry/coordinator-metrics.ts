import { RUN_STATES } from '../../core/states/run-state.ts';
import { SWEEP_STATES } from '../../core/states/sweep-state.ts';
import { TASK_STATES } from '../../core/states/task-state.ts';
import { STAGES } from '../../core/task.ts';
import type { Gauge, Metrics } from '../../platform/telemetry/metrics.ts';
import type { Operations } from '../store/operations/read-operations.ts';

/** The sources of the numbers that a scrape reads. */
export interface CoordinatorSources {
  /** Rejects while the database can't be reached. */
  readonly readOperations: () => Promise<Operations>;
  readonly isLeader: () => boolean;
  /** null: without TLS. */
  readonly certificateExpires: () => Date | null;
  readonly connections: () => { readonly open: number; readonly idle: number; readonly waiting: number };
}

/**
 * Adds the metrics of a coordinator. The numbers from the database are the same on every replica, so rules take `max` over
 * replicas, not `sum`. A series without anything to count is 0 rather than absent. While the database can't be reached the series
 * are absent, because the last value would be wrong.
 *
 * @param sources null: only the definitions, which tests of rules and dashboards use.
 */
export function addCoordinatorMetrics(metrics: Metrics, sources: CoordinatorSources | null): void {
  const database = databaseGauges(metrics);
  const isUp = metrics.gauge({
    name: 'graft_coordinator_database_up',
    help: 'Whether this coordinator can read its database: 1 or 0.',
  });
  const isLeader = metrics.gauge({
    name: 'graft_coordinator_leader',
    help: 'Whether this coordinator runs the loops (reaper, retention and the like): 1 or 0.',
  });
  const connections = metrics.gauge({
    name: 'graft_coordinator_database_connections',
    help: 'Connections of the pool that are busy or idle, and queries that wait for one.',
    labels: ['state'],
  });
  const certificate = metrics.gauge({
    name: 'graft_coordinator_certificate_expiry_timestamp_seconds',
    help: 'Expiry of the certificate of the port, in Unix time; absent without TLS.',
    // Has a label, because a gauge without labels is 0 before it is set.
    labels: ['port'],
  });
  if (sources === null) return;
  metrics.beforeScrape(async () => {
    const expires = sources.certificateExpires();
    if (expires !== null) certificate.set({ port: 'grpc' }, expires.getTime() / 1_000);
    isLeader.set(sources.isLeader() ? 1 : 0);
    const { open, idle, waiting } = sources.connections();
    connections.set({ state: 'busy' }, open - idle);
    connections.set({ state: 'idle' }, idle);
    connections.set({ state: 'waiting' }, waiting);
    try {
      database.show(await sources.readOperations());
      isUp.set(1);
    } catch {
      database.forget();
      isUp.set(0);
    }
  });
}

interface DatabaseGauges {
  show(operations: Operations): void;
  forget(): void;
}

function databaseGauges(metrics: Metrics): DatabaseGauges {
  const tasks = metrics.gauge({
    name: 'graft_tasks',
    help: 'Tasks that have not ended. READY ones are the queue.',
    labels: ['stage', 'state'],
  });
  const leaseAge = metrics.gauge({
    name: 'graft_lease_age_seconds',
    help: 'Seconds since the last renewal of the live lease that was renewed longest ago.',
    labels: ['stage'],
  });
  const overdueLeases = metrics.gauge({
    name: 'graft_leases_overdue',
    help: 'Expired leases that were not taken back yet.',
  });
  const retries = metrics.gauge({
    name: 'graft_task_retries',
    help: 'Failures so far of the tasks that have not ended, by the error class that decides about a retry.',
    labels: ['error_class'],
  });
  const sweeps = metrics.gauge({ name: 'graft_sweeps', help: 'Sweeps that have not ended.', labels: ['state'] });
  const runs = metrics.gauge({
    name: 'graft_runs',
    help: 'Runs of the sweeps that have not ended.',
    labels: ['state'],
  });
  const trainers = metrics.gauge({
    name: 'graft_trainers',
    help: 'Trainers that ever registered, by their present state.',
    labels: ['state'],
  });
  const slots = metrics.gauge({
    name: 'graft_slots',
    help: 'Slots of trainers that are not lost.',
    labels: ['device_kind'],
  });
  const benchedSlots = metrics.gauge({
    name: 'graft_slots_benched',
    help: 'Slots of living trainers that get no tasks, because of their store, data, disk or device; `graft trainers` says why.',
  });
  const heartbeatAge = metrics.gauge({
    name: 'graft_trainer_heartbeat_age_seconds',
    help: 'Seconds since the last sign of life of the most silent trainer that is not lost; 0: no trainer.',
  });
  const outbox = metrics.gauge({
    name: 'graft_outbox_rows',
    help: 'Rows to be mirrored to MLflow (pending), and rows that MLflow refused for good (dead).',
    labels: ['state'],
  });
  const outboxAge = metrics.gauge({
    name: 'graft_outbox_age_seconds',
    help: 'Seconds that the oldest pending row waits to be mirrored; 0: none.',
  });
  const all = [
    outbox,
    outboxAge,
    tasks,
    leaseAge,
    overdueLeases,
    retries,
    sweeps,
    runs,
    trainers,
    slots,
    benchedSlots,
    heartbeatAge,
  ];
  return {
    forget: () => {
      for (const gauge of all) gauge.reset();
      // A gauge without labels would be 0 after a reset.
      for (const gauge of [overdueLeases, benchedSlots, heartbeatAge, outboxAge]) gauge.remove();
    },
    show: (now) => {
      for (const stage of STAGES) {
        for (const state of TASK_STATES.live) tasks.set({ stage, state }, 0);
        leaseAge.set({ stage }, 0);
      }
      for (const { stage, state, count } of now.tasks) tasks.set({ stage, state }, count);
      for (const { stage, seconds } of now.leaseAges) leaseAge.set({ stage }, seconds);
      overdueLeases.set(now.overdueLeases);
      for (const [error_class, count] of Object.entries(now.retries)) retries.set({ error_class }, count);
      showCounts(sweeps, SWEEP_STATES.live, now.sweeps);
      showCounts(runs, RUN_STATES.states, now.runs);
      showCounts(trainers, ['READY', 'BENCHED', 'DRAINING', 'LOST'], now.trainers);
      for (const device_kind of ['cpu', 'gpu']) slots.set({ device_kind }, 0);
      for (const { deviceKind, count } of now.slots) slots.set({ device_kind: deviceKind }, count);
      benchedSlots.set(now.benchedSlots);
      heartbeatAge.set(now.oldestHeartbeatSeconds);
      outbox.set({ state: 'pending' }, now.outbox.pending);
      outbox.set({ state: 'dead' }, now.outbox.dead);
      outboxAge.set(now.outbox.oldestSeconds);
    },
  };
}

function showCounts(
  gauge: Gauge<'state'>,
  states: Iterable<string>,
  counts: readonly { readonly state: string; readonly count: number }[],
): void {
  for (const state of states) gauge.set({ state }, 0);
  for (const { state, count } of counts) gauge.set({ state }, count);
}
