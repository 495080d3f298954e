import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { openArtifactStore } from '../platform/artifacts/open-artifact-store.ts';
import { readVersion } from '../platform/config/read-version.ts';
import { readMigrationStatus } from '../platform/db/apply-migrations.ts';
import { OutageLog } from '../platform/db/outage-log.ts';
import { createPool } from '../platform/db/pool.ts';
import { WorkerPool } from '../platform/lifecycle/worker-pool.ts';
import { serverSecurity } from '../platform/rpc/security/server-security.ts';
import { createServer } from '../platform/rpc/server.ts';
import type { Interceptor } from '../platform/rpc/call-context.ts';
import type { RpcServer } from '../platform/rpc/server.ts';
import { traceCalls } from '../platform/rpc/trace-calls.ts';
import type { Logger } from '../platform/telemetry/logger.ts';
import { describeConfig } from './config.ts';
import type { CoordinatorConfig } from './config.ts';
import { LeaderLoops } from './loops/leader-loop.ts';
import { OrphanRemoval } from './loops/orphan-removal.ts';
import { Preemptor } from './loops/preemptor.ts';
import { Reaper } from './loops/reaper.ts';
import { Retention } from './loops/retention.ts';
import { authorise } from './rpc/authorisation/authorise.ts';
import { CallLimits } from './rpc/authorisation/call-limits.ts';
import type { CallLimitsOptions } from './rpc/authorisation/call-limits.ts';
import { TokenCache } from './rpc/authorisation/token-cache.ts';
import { Health } from './rpc/health.ts';
import type { PLAN_JOBS } from './rpc/planning/plan-worker.ts';
import { addReflection } from './rpc/reflection/reflection-service.ts';
import { addServices } from './rpc/services.ts';
import { SWEEP_SERVICE } from './rpc/sweep-service/definition.ts';
import { LongAnswers } from './rpc/lists/long-answers.ts';
import { requestLimits } from './rpc/limits/limit-table.ts';
import { mapStoreErrors } from './rpc/store-errors.ts';
import { EventFeed } from './store/events/event-feed.ts';
import { Leadership } from './store/leadership.ts';
import { MetricIngest } from './store/metrics/metric-ingest.ts';
import type { ROUND_JOBS } from './store/planning/round-jobs.ts';
import type { STORED_PLANS } from './store/planning/stored-plans.ts';
import { RoundRequests } from './store/rounds/round-requests.ts';
import { Signals } from './store/signals.ts';
import { lookUpToken } from './store/tokens/look-up-token.ts';
import { StoreClaim } from './store-claim.ts';
import { createStore } from './store/store.ts';
import type { Store } from './store/store.ts';
import { startOperations } from './telemetry/operations.ts';

/** The work of a transaction between two statements takes milliseconds, and a second when it plans ten thousand runs. */
const MIN_IDLE_IN_TRANSACTION_MS = 2_000;

/** Threads for plans of clients. They leave a processor for calls. A plan of 10,000 runs with many parameters takes about 300 MB. */
const PLAN_THREADS = {
  module: 'coordinator/rpc/planning/plan-worker',
  threadCount: Math.min(2, Math.max(1, availableParallelism() - 1)),
  maxQueued: 64,
  maxPerCaller: 8,
  idleMs: 30_000,
  heapMib: 768,
};

/** A thread for stored sweeps, so that they never wait behind plans of clients. */
const STORED_PLAN_THREAD = {
  module: 'coordinator/store/planning/stored-plans-thread',
  threadCount: 1,
  maxQueued: 10_000,
  maxPerCaller: 10_000,
  idleMs: 30_000,
  heapMib: 768,
};

/**
 * Threads for rounds of runs, which may take seconds each: transactions that plan must not wait for them. A long replay of rounds leaves one to
 * those that are due.
 */
const ROUND_THREADS = { ...STORED_PLAN_THREAD, threadCount: 2, module: 'coordinator/store/planning/rounds-thread' };

/** Thrown when the database lacks migrations of this version. */
export class MigrationsPendingError extends Error {
  override readonly name = 'MigrationsPendingError';
  readonly pending: readonly string[];

  constructor(pending: readonly string[]) {
    super(
      `The database lacks ${pending.length === 1 ? 'a migration' : `${pending.length} migrations`}: ${pending.join(', ')}. ` +
        'Apply with `graft migrate` (the same DATABASE_URL), then start the coordinator again.',
    );
    this.pending = pending;
  }
}

/** A running coordinator. */
export interface Coordinator extends AsyncDisposable {
  /** `host:port` that the coordinator listens on. */
  readonly address: string;
  /** Port of /metrics, /healthz and /readyz; null: off. */
  readonly operationsPort: number | null;
  readonly loops: LeaderLoops;
  /** Ends in order: health reports NOT_SERVING, running calls end, loops stop, connections close. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Assembles a coordinator and starts it.
 *
 * @throws ConfigError for unusable certificates and for an artifact store of another cluster; MigrationsPendingError,
 *   MigrationError and DatabaseUnavailableError for the database
 */
export async function startCoordinator(config: CoordinatorConfig, log: Logger): Promise<Coordinator> {
  const { pending } = await readMigrationStatus(config.databaseUrl);
  if (pending.length > 0) throw new MigrationsPendingError(pending);
  const parts = new Parts();
  try {
    const started = await startParts(config, log, parts);
    log.info({ address: started.address, config: describeConfig(config) }, 'coordinator started');
    const stop = (): Promise<void> => parts.end();
    return { ...started, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await parts.end();
    throw error;
  }
}

async function startParts(
  config: CoordinatorConfig,
  log: Logger,
  parts: Parts,
): Promise<Pick<Coordinator, 'address' | 'operationsPort' | 'loops'>> {
  const { credentials, certificateExpires } = serverSecurity(config.security.tls, log);
  const outage = new OutageLog(log);
  const pool = createPool(config.databaseUrl, {
    max: config.databaseConnections,
    applicationName: 'graft-coordinator',
    // A coordinator that hangs must release its row locks before the leases that it was renewing expire.
    idleInTransactionMs: Math.max(MIN_IDLE_IN_TRANSACTION_MS, config.timing.leaseMs / 4),
    log,
    outage,
  });
  parts.add(() => pool.end());
  const storedPlans = new WorkerPool<typeof STORED_PLANS>(STORED_PLAN_THREAD);
  parts.add(() => storedPlans[Symbol.asyncDispose]());
  const roundThreads = new WorkerPool<typeof ROUND_JOBS>(ROUND_THREADS);
  const rounds = new RoundRequests(roundThreads);
  const store = createStore({
    onRoundDue: (sweepId) => rounds.request(sweepId),
    planner: {
      examine: (input) => storedPlans.run('examine', input, { caller: '' }),
      identify: (input) => storedPlans.run('identify', input, { caller: '' }),
      planStored: (input) => storedPlans.run('planStored', input, { caller: '' }),
      planProbes: (input) => storedPlans.run('planProbes', input, { caller: '' }),
      targets: (input) => storedPlans.run('targets', input, { caller: '' }),
      regroup: (input) => storedPlans.run('regroup', input, { caller: '' }),
      suggest: (input) => roundThreads.run('suggest', input, { caller: '' }),
      replay: (input) => roundThreads.run('replay', input, { caller: '' }),
    },
    pool,
    log,
    leaseMs: config.timing.leaseMs,
    isMirrored: config.mlflow !== null,
    plansAdaptively: config.plansAdaptively,
  });
  parts.add(() => store.prisma.$disconnect());
  rounds.serve(store);
  parts.add(() => rounds[Symbol.asyncDispose]());
  const artifacts = await openArtifactStore(config.artifactsDir);
  const claim = await StoreClaim.open(store, artifacts, config.adoptsStore);
  const signals = new Signals(pool, log, outage);
  parts.add(() => signals[Symbol.asyncDispose]());
  await signals.ready;
  const reaper = new Reaper(store, config.timing.reaperMs);
  const preemptor = new Preemptor(store, config.timing.reaperMs);
  const retention = new Retention(store, artifacts, {
    intervalMs: config.retentionMs,
    keepBest: config.keepBest,
    claim,
  });
  const orphans = new OrphanRemoval(store, artifacts, config.orphanMs, claim);
  let address = config.listen;
  const { databaseUrl } = config;
  // Loaded only where it is used: its HTTP client takes a tenth of a coordinator's start.
  const mirrored =
    config.mlflow &&
    (await import('./start-mirror.ts')).createMirror(config.mlflow, {
      databaseUrl,
      artifacts,
      log,
      outage,
      address: () => address,
    });
  if (mirrored) parts.add(() => mirrored.end());
  const tasks = [reaper, preemptor, retention, orphans, ...(mirrored ? [mirrored.mirror] : [])];
  const leadership = new Leadership(pool, log, outage);
  const loops = new LeaderLoops(leadership, tasks, log, outage);
  parts.add(() => loops.stop());
  const health = new Health();
  const operations =
    config.metricsListen === null
      ? null
      : await startOperations({
          listen: config.metricsListen,
          log,
          store,
          isLeader: () => leadership.isHeld,
          isServing: () => health.isServing,
          certificateExpires,
        });
  if (operations !== null) parts.add(() => operations.server.stop());
  const around = operations === null ? [] : [operations.countCalls, operations.refusals.interceptor];
  const guards = config.security.needsTokens ? [authorisationOf(store, config.security, log)] : [];
  const interceptors = [...around, traceCalls(beginsTrace), mapStoreErrors, ...guards];
  const server = createServer({ log, interceptors, credentials, limits: requestLimits() });
  const mlflowUri = config.mlflow?.server.trackingUri ?? null;
  const ingest = new MetricIngest(store);
  const feed = new EventFeed(store, signals);
  const plans = new WorkerPool<typeof PLAN_JOBS>(PLAN_THREADS);
  parts.add(() => plans[Symbol.asyncDispose]());
  const context = {
    store,
    ingest,
    feed,
    signals,
    artifacts,
    clusterId: claim.clusterId,
    plans,
    longAnswers: new LongAnswers(mostLongCalls(config)),
    submissions: new LongAnswers(mostLongCalls(config)),
    timing: config.timing,
    keepBest: config.keepBest,
    mlflowUri,
    log,
    version: readVersion(),
    countRefusal: (path: string, error: unknown) => operations?.refusals.count(path, error),
  };
  addServices(server, context, config.security.needsTokens);
  health.addToServer(server.grpc);
  addReflection(server);
  parts.add(() => drain(server, health, config.drainMs));
  address = await listenOn(server, config.listen);
  loops.start();
  health.setServing(true);
  return { address, operationsPort: operations?.server.port ?? null, loops };
}

/** The started parts. Ends them in the reverse order, all of them even when one fails to end. */
class Parts {
  readonly #ends: (() => Promise<void>)[] = [];
  #ended: Promise<void> | null = null;

  add(end: () => Promise<void>): void {
    this.#ends.push(end);
  }

  end(): Promise<void> {
    this.#ended ??= this.#endAll();
    return this.#ended;
  }

  async #endAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const end of this.#ends.toReversed()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Parts of the coordinator could not end in order.');
  }
}

/**
 * Returns the number of long calls of each kind in progress at a time. One processor and two thirds of the connections remain free
 * for cheap calls: on two processors their p99 was 51 to 105 ms, instead of 108 to 133 ms with three long calls of any kind.
 */
function mostLongCalls({ databaseConnections }: CoordinatorConfig): number {
  return Math.max(1, Math.min(availableParallelism() - 1, Math.floor(databaseConnections / 6)));
}

/** Returns whether a call begins a trace: a sweep has one even when its client does not trace. */
function beginsTrace(path: string): boolean {
  return path === SWEEP_SERVICE.createSweep.path;
}

function authorisationOf(store: Store, limits: CallLimitsOptions, log: Logger): Interceptor {
  const tokens = new TokenCache({ lookUp: (hash) => lookUpToken(store, hash) });
  return authorise(tokens, new CallLimits(limits), log);
}

async function drain(server: RpcServer, health: Health, drainMs: number): Promise<void> {
  health.setServing(false);
  await server.drain(drainMs);
}

async function listenOn(server: RpcServer, listen: string): Promise<string> {
  const host = listen.slice(0, listen.lastIndexOf(':'));
  const port = await server.listen(listen);
  // The wildcard address is not one to connect to.
  const shown = host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host;
  return isIP(shown) === 6 ? `[${shown}]:${port}` : `${shown}:${port}`;
}
