import type { LeasedTask } from '../../core/task.ts';
import { tracer } from '../../platform/telemetry/tracer.ts';
import type { Span } from '../../platform/telemetry/tracer.ts';

/** The span of one attempt, in the trace that its sweep was submitted in. */
export function startAttemptSpan({ sweepId, taskId, stage, leaseEpoch, runs, traceparent }: LeasedTask): Span {
  return tracer().startSpan(`attempt ${stage}`, {
    kind: 'consumer',
    parent: traceparent,
    attributes: {
      'graft.sweep_id': sweepId,
      'graft.task_id': taskId,
      'graft.stage': stage,
      'graft.attempt': leaseEpoch,
      'graft.run_count': runs.length,
    },
  });
}
