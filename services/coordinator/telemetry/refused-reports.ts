import { GraftError } from '../../core/errors.ts';
import type { Interceptor } from '../../platform/rpc/call-context.ts';
import type { Metrics } from '../../platform/telemetry/metrics.ts';

const SERVICE = '/graft.v1.TrainerService/';
/** Methods whose reports can be refused. A test compares them with the service. */
const TRAINER_METHODS: readonly string[] = [
  'RegisterTrainer',
  'LeaseTask',
  'Heartbeat',
  'ReportMetrics',
  'RegisterCheckpoint',
  'CompleteTask',
  'CompleteTaskInParts',
  'ReleaseTask',
];
/** An impossible report, a write under a lease held by another trainer, and an id that belongs to another trainer. */
const REASONS: readonly string[] = ['REPORT_REFUSED', 'LEASE_NOT_HELD', 'TRAINER_ID_TAKEN'];

/** Counts reports of trainers that were refused. */
export interface RefusedReports {
  /** Counts calls that end with a refusal. */
  readonly interceptor: Interceptor;
  /** Counts a refusal that is an answer within a stream. Ignores other errors. @param path of the call */
  count(path: string, error: unknown): void;
}

/** Adds the counter, 0 for each method and reason. */
export function refusedReports(metrics: Metrics): RefusedReports {
  const refused = metrics.counter({
    name: 'graft_reports_refused_total',
    help: "Calls and batches of trainers that were refused as untrue, as another's lease or another's identity.",
    labels: ['method', 'reason'],
  });
  for (const method of TRAINER_METHODS) for (const reason of REASONS) refused.inc({ method, reason }, 0);
  const count = (path: string, error: unknown): void => {
    const method = path.startsWith(SERVICE) ? path.slice(SERVICE.length) : '';
    if (!TRAINER_METHODS.includes(method) || !(error instanceof GraftError) || !REASONS.includes(error.reason)) return;
    refused.inc({ method, reason: error.reason });
  };
  const interceptor: Interceptor = async ({ path }, next) => {
    try {
      await next();
    } catch (error) {
      count(path, error);
      throw error;
    }
  };
  return { count, interceptor };
}
