import { GraftError } from '../../core/errors.ts';
import type { Interceptor } from '../../platform/rpc/call-context.ts';
import type { Metrics } from '../../platform/telemetry/metrics.ts';

const SERVICE = '/graft.v1.TrainerService/';
/** Those that can be refused so; a test compares them with the service. */
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
/** A report that can't be true; a write under another's lease; an identity that is another's. */
const REASONS: readonly string[] = ['REPORT_REFUSED', 'LEASE_NOT_HELD', 'TRAINER_ID_TAKEN'];

/** Counts what trainers sent and nobody believed. */
export interface RefusedReports {
  /** For calls that end with their refusal. */
  readonly interceptor: Interceptor;
  /** For a refusal that is an answer of a stream. Other errors are no refusals and not counted. @param path of the call */
  note(path: string, error: unknown): void;
}

/** Adds the counter, with 0 for whatever can be refused. */
export function refusedReports(metrics: Metrics): RefusedReports {
  const refused = metrics.counter({
    name: 'graft_reports_refused_total',
    help: "Calls and batches of trainers that were refused as untrue, as another's lease or another's identity.",
    labels: ['method', 'reason'],
  });
  for (const method of TRAINER_METHODS) for (const reason of REASONS) refused.inc({ method, reason }, 0);
  const note = (path: string, error: unknown): void => {
    const method = path.startsWith(SERVICE) ? path.slice(SERVICE.length) : '';
    if (!TRAINER_METHODS.includes(method) || !(error instanceof GraftError) || !REASONS.includes(error.reason)) return;
    refused.inc({ method, reason: error.reason });
  };
  const interceptor: Interceptor = async ({ path }, next) => {
    try {
      await next();
    } catch (error) {
      note(path, error);
      throw error;
    }
  };
  return { note, interceptor };
}
