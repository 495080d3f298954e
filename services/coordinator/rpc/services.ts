import type { Handlers } from '../../platform/rpc/server.ts';
import { TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { createCalls } from './sweep-service/plan-sweep.ts';
import { checkpointCalls } from './sweep-service/checkpoints.ts';
import { leaseCalls } from './trainer-service/lease-task.ts';
import { mlflowCalls } from './sweep-service/mlflow.ts';
import { reportMetrics } from './trainer-service/report-metrics.ts';
import { resultCalls } from './trainer-service/complete-task.ts';
import type { RpcContext } from './rpc-context.ts';
import { runCalls } from './sweep-service/runs.ts';
import { steerCalls } from './sweep-service/steer-sweep.ts';
import { SWEEP_SERVICE } from './sweep-service/definition.ts';
import { sweepCalls } from './sweep-service/sweeps.ts';
import { watchSweep } from './sweep-service/watch-sweep.ts';
import { workCalls } from './trainer-service/heartbeat.ts';

export { SWEEP_SERVICE, TokenServiceService, TrainerServiceService };
export { tokenCalls as tokenServiceHandlers } from './token-service.ts';

/** The public service. */
export function sweepServiceHandlers(context: RpcContext): Handlers<typeof SWEEP_SERVICE> {
  return {
    ...createCalls(context),
    ...sweepCalls(context),
    ...steerCalls(context),
    ...runCalls(context),
    ...checkpointCalls(context),
    ...mlflowCalls(context),
    watchSweep: watchSweep(context),
  };
}

/** The internal service, for trainers. */
export function trainerServiceHandlers(context: RpcContext): Handlers<typeof TrainerServiceService> {
  return {
    ...leaseCalls(context),
    ...workCalls(context),
    ...resultCalls(context),
    reportMetrics: reportMetrics(context),
  };
}
