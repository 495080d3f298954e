import type { TokenRole } from '../../../core/token-role.ts';
import type { ServiceShape } from '../../../platform/rpc/service-shape.ts';
import { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { TokenServiceService } from '../../../../proto/gen/graft/v1/token_service.ts';
import { TrainerServiceService } from '../../../../proto/gen/graft/v1/trainer_service.ts';

/** The least role that a call needs (`includesRole`). ANY: a token of any role. */
export type Need = TokenRole | 'ANY';

type Needs<D extends ServiceShape> = { readonly [K in keyof D]: Need };

const SWEEP_SERVICE: Needs<typeof SweepServiceService> = {
  planSweep: 'VIEWER',
  createSweep: 'SUBMITTER',
  getSweep: 'VIEWER',
  listSweeps: 'VIEWER',
  watchSweep: 'VIEWER',
  pauseSweep: 'SUBMITTER',
  resumeSweep: 'SUBMITTER',
  cancelSweep: 'SUBMITTER',
  killSweep: 'SUBMITTER',
  extendSweep: 'SUBMITTER',
  stopRun: 'SUBMITTER',
  retryRun: 'SUBMITTER',
  // A deletion can't be undone, and sweeps have no owner whose alone it could be. As for checkpoints, a dry run needs the same role.
  deleteSweep: 'ADMIN',
  updateSweep: 'SUBMITTER',
  listRuns: 'VIEWER',
  getRun: 'VIEWER',
  updateRun: 'SUBMITTER',
  listEpochMetrics: 'VIEWER',
  listCheckpoints: 'VIEWER',
  downloadCheckpoint: 'VIEWER',
  pinCheckpoint: 'SUBMITTER',
  // With `dry_run` it only reads, but what would be removed concerns only those who may remove it.
  collectCheckpoints: 'ADMIN',
  getLeaderboard: 'VIEWER',
  getParetoFront: 'VIEWER',
  listTestPredictions: 'VIEWER',
  listDecisions: 'VIEWER',
  listRungEntries: 'VIEWER',
  explainRun: 'VIEWER',
  explainSweep: 'VIEWER',
  listTrainers: 'VIEWER',
  forgetTrainer: 'ADMIN',
  resolveHandle: 'VIEWER',
  listDatasets: 'VIEWER',
  getDataset: 'VIEWER',
  getMlflowStatus: 'VIEWER',
  listMlflowDeadLetters: 'VIEWER',
  retryMlflowDeadLetters: 'ADMIN',
  resendToMlflow: 'ADMIN',
};

const TRAINER_SERVICE: Needs<typeof TrainerServiceService> = {
  registerTrainer: 'TRAINER',
  leaseTask: 'TRAINER',
  heartbeat: 'TRAINER',
  reportMetrics: 'TRAINER',
  registerCheckpoint: 'TRAINER',
  completeTask: 'TRAINER',
  completeTaskInParts: 'TRAINER',
  releaseTask: 'TRAINER',
};

const TOKEN_SERVICE: Needs<typeof TokenServiceService> = {
  createToken: 'ADMIN',
  listTokens: 'ADMIN',
  revokeToken: 'ADMIN',
};

/**
 * The role that each call needs, by path. This is the only such table, and a call that it lacks is refused. Health is answered
 * without a token, because probes and load balancers have none; it reveals only SERVING or NOT_SERVING.
 */
export const METHOD_ROLES: ReadonlyMap<string, Need> = new Map([
  ...needsOf(SweepServiceService, SWEEP_SERVICE),
  ...needsOf(TrainerServiceService, TRAINER_SERVICE),
  ...needsOf(TokenServiceService, TOKEN_SERVICE),
  ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', 'ANY'],
  ['/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', 'ANY'],
]);

function needsOf<D extends ServiceShape>(definition: D, needs: Needs<D>): (readonly [string, Need])[] {
  return Object.entries(definition).map(([name, { path }]) => [path, needs[name as keyof D]]);
}
