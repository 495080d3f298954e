import type { Handlers, RpcServer } from '../../platform/rpc/server.ts';
import { TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { RpcContext } from './rpc-context.ts';
import { annotateHandlers } from './sweep-service/annotate.ts';
import { checkpointHandlers } from './sweep-service/checkpoints.ts';
import { createSweepHandler } from './sweep-service/create-sweep.ts';
import { datasetHandlers } from './sweep-service/datasets.ts';
import { SWEEP_SERVICE } from './sweep-service/definition.ts';
import { downloadCheckpointHandler } from './sweep-service/download-checkpoint.ts';
import { explainHandlers } from './sweep-service/explain.ts';
import { extendSweepHandler } from './sweep-service/extend-sweep.ts';
import { listEpochMetricsHandler } from './sweep-service/epoch-metrics.ts';
import { getLeaderboardHandler } from './sweep-service/leaderboard.ts';
import { getParetoFrontHandler } from './sweep-service/pareto-front.ts';
import { mlflowHandlers } from './sweep-service/mlflow.ts';
import { planSweepHandler } from './sweep-service/plan-sweep.ts';
import { resolveHandleHandler } from './sweep-service/resolve-handle.ts';
import { runHandlers } from './sweep-service/runs.ts';
import { steerRunHandlers } from './sweep-service/steer-run.ts';
import { steerHandlers } from './sweep-service/steer-sweep.ts';
import { sweepHandlers } from './sweep-service/sweeps.ts';
import { listTestPredictionsHandler } from './sweep-service/test-predictions.ts';
import { trainerHandlers } from './sweep-service/trainers.ts';
import { watchSweepHandler } from './sweep-service/watch-sweep.ts';
import { tokenServiceHandlers } from './token-service.ts';
import { completeTaskHandlers } from './trainer-service/complete-task.ts';
import { heartbeatHandler } from './trainer-service/heartbeat.ts';
import { leaseTaskHandler } from './trainer-service/lease-task.ts';
import { registerCheckpointHandler } from './trainer-service/register-checkpoint.ts';
import { registerTrainerHandler } from './trainer-service/register-trainer.ts';
import { releaseTaskHandler } from './trainer-service/release-task.ts';
import { reportMetricsHandler } from './trainer-service/report-metrics.ts';

/**
 * Adds the three services of Graft to a server.
 *
 * @param needsTokens whether calls need tokens; without, none may be created.
 */
export function addServices(server: RpcServer, context: RpcContext, needsTokens: boolean): void {
  server.addService(SWEEP_SERVICE, sweepServiceHandlers(context));
  server.addService(TrainerServiceService, trainerServiceHandlers(context));
  server.addService(TokenServiceService, tokenServiceHandlers(context, needsTokens));
}

function sweepServiceHandlers(context: RpcContext): Handlers<typeof SWEEP_SERVICE> {
  return {
    planSweep: planSweepHandler(context),
    createSweep: createSweepHandler(context),
    ...sweepHandlers(context),
    watchSweep: watchSweepHandler(context),
    ...steerHandlers(context),
    ...steerRunHandlers(context),
    extendSweep: extendSweepHandler(context),
    ...annotateHandlers(context),
    ...runHandlers(context),
    listEpochMetrics: listEpochMetricsHandler(context),
    ...explainHandlers(context),
    getLeaderboard: getLeaderboardHandler(context),
    getParetoFront: getParetoFrontHandler(context),
    listTestPredictions: listTestPredictionsHandler(context),
    ...checkpointHandlers(context),
    downloadCheckpoint: downloadCheckpointHandler(context),
    ...trainerHandlers(context),
    resolveHandle: resolveHandleHandler(context),
    ...datasetHandlers(context),
    ...mlflowHandlers(context),
  };
}

function trainerServiceHandlers(context: RpcContext): Handlers<typeof TrainerServiceService> {
  return {
    registerTrainer: registerTrainerHandler(context),
    leaseTask: leaseTaskHandler(context),
    heartbeat: heartbeatHandler(context),
    reportMetrics: reportMetricsHandler(context),
    registerCheckpoint: registerCheckpointHandler(context),
    ...completeTaskHandlers(context),
    releaseTask: releaseTaskHandler(context),
  };
}
