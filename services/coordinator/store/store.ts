import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import { PrismaClient } from '../../../prisma/client/client.ts';
import { currentSchema } from '../../platform/db/current-schema.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { ROUND_JOBS } from './planning/round-jobs.ts';
import type { ReplayInput, SuggestInput } from './planning/round-jobs.ts';
import { STORED_PLANS } from './planning/stored-plans.ts';
import type {
  FeasibilityInput,
  IdentifyInput,
  PlanProbesInput,
  PlanStoredInput,
  RegroupInput,
  TargetsInput,
} from './planning/stored-plans.ts';

/** The connections and settings that every statement needs. Prisma and raw `pg` share one pool. */
export interface Store {
  readonly pool: Pool;
  readonly prisma: PrismaClient;
  readonly log: Logger;
  /** Life of a lease without a heartbeat, in milliseconds. */
  readonly leaseMs: number;
  /** True if changes leave entries in the outbox, for the MLflow mirror. */
  readonly isMirrored: boolean;
  /**
   * True if plans follow measurements and the current number of slots. Otherwise the groups that train together depend only on
   * the spec and on the number of slots at planning.
   */
  readonly plansAdaptively: boolean;
  /** Plans sweeps, in a separate thread if the coordinator has one. */
  readonly planner: Planner;
  /** Draws uniformly from [0, 1), for the jitter of back-offs. */
  readonly random: () => number;
  /** Called after the commit of a transaction that has found the next round of a sweep due. It must not throw. */
  readonly onRoundDue: (sweepId: string) => void;
}

/** Plans stored sweeps. */
export interface Planner {
  examine(input: FeasibilityInput): Promise<ReturnType<typeof STORED_PLANS.examine>>;
  identify(input: IdentifyInput): Promise<ReturnType<typeof STORED_PLANS.identify>>;
  planStored(input: PlanStoredInput): Promise<ReturnType<typeof STORED_PLANS.planStored>>;
  planProbes(input: PlanProbesInput): Promise<ReturnType<typeof STORED_PLANS.planProbes>>;
  targets(input: TargetsInput): Promise<ReturnType<typeof STORED_PLANS.targets>>;
  regroup(input: RegroupInput): Promise<ReturnType<typeof STORED_PLANS.regroup>>;
  suggest(input: SuggestInput): Promise<ReturnType<typeof ROUND_JOBS.suggest>>;
  replay(input: ReplayInput): Promise<ReturnType<typeof ROUND_JOBS.replay>>;
}

/** A planner on the event loop. */
const PLAN_HERE: Planner = {
  examine: async (input) => Promise.resolve(STORED_PLANS.examine(input)),
  identify: async (input) => Promise.resolve(STORED_PLANS.identify(input)),
  planStored: async (input) => Promise.resolve(STORED_PLANS.planStored(input)),
  planProbes: async (input) => Promise.resolve(STORED_PLANS.planProbes(input)),
  targets: async (input) => Promise.resolve(STORED_PLANS.targets(input)),
  regroup: async (input) => Promise.resolve(STORED_PLANS.regroup(input)),
  suggest: async (input) => Promise.resolve(ROUND_JOBS.suggest(input)),
  replay: async (input) => Promise.resolve(ROUND_JOBS.replay(input)),
};

export interface StoreOptions {
  readonly pool: Pool;
  readonly log: Logger;
  readonly leaseMs: number;
  /** Default false. */
  readonly isMirrored?: boolean;
  /** Default true. */
  readonly plansAdaptively?: boolean;
  /** Default: on the event loop. */
  readonly planner?: Planner;
  readonly random?: () => number;
  /** Default: rounds are left to another coordinator. */
  readonly onRoundDue?: Store['onRoundDue'];
}

/** Creates a store. The pool remains the caller's: closing the store does not end it. */
export function createStore(options: StoreOptions): Store {
  return {
    pool: options.pool,
    // Prisma's own limit is 5 s; a sweep of 10,000 runs is 350,000 rows.
    prisma: new PrismaClient({
      adapter: adapterOf(options.pool),
      transactionOptions: { maxWait: 10_000, timeout: 60_000 },
    }),
    log: options.log,
    leaseMs: options.leaseMs,
    isMirrored: options.isMirrored ?? false,
    plansAdaptively: options.plansAdaptively ?? true,
    planner: options.planner ?? PLAN_HERE,
    random: options.random ?? Math.random,
    onRoundDue: options.onRoundDue ?? ((): void => undefined),
  };
}

/** Returns an adapter with the schema of the pool's connections. Prisma qualifies tables with a schema, by default `public`. */
function adapterOf(pool: Pool): PrismaPg {
  return new (class extends PrismaPg {
    override async connect(): ReturnType<PrismaPg['connect']> {
      return new PrismaPg(pool, { schema: await currentSchema(pool) }).connect();
    }
  })(pool);
}
