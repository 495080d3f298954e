import type { Handlers } from '../../platform/rpc/server.ts';
import { TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { createCalls } from './create-calls.ts';
import { checkpointCalls } from './checkpoint-calls.ts';
import { leaseCalls } from './lease-calls.ts';
import { mlflowCalls } from './mlflow-calls.ts';
import { reportMetrics } from './report-metrics.ts';
import { resultCalls } from './result-calls.ts';
import type { RpcContext } from './rpc-context.ts';
import { runCalls } from './run-calls.ts';
import { steerCalls } from './steer-calls.ts';
import { SWEEP_SERVICE } from './sweep-service.ts';
import { sweepCalls } from './sweep-calls.ts';
import { watchSweep } from './watch-sweep.ts';
import { workCalls } from './work-calls.ts';

export { SWEEP_SERVICE, TokenServiceService, TrainerServiceService };
export { tokenCalls as tokenServiceHandlers } from './token-calls.ts';

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
