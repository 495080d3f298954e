import { createHash } from 'node:crypto';
import { ArtifactDamagedError, ArtifactMissingError } from '../../../core/errors.ts';
import { describeDigest } from '../../../platform/artifacts/find-damage.ts';
import { artifactSource } from '../../../platform/mlflow/artifact-path.ts';
import type { MlflowClient } from '../../../platform/mlflow/mlflow-client.ts';
import { MlflowError } from '../../../platform/mlflow/mlflow-error.ts';
import { findRunPlace } from '../../store/outbox/claim-subjects.ts';
import type { MirrorPlace } from '../../store/outbox/claim-subjects.ts';
import { findWinner } from '../../store/outbox/find-winner.ts';
import type { Winner } from '../../store/outbox/find-winner.ts';
import type { MirroredSweep } from '../../store/outbox/read-mirrored.ts';
import type { MirrorContext, PlacedSubject } from './mirror-context.ts';
import { describeModel } from './model-files.ts';
import { NotYetError } from './steps.ts';

const FOLDER = 'model';

/**
 * Sends the best checkpoint of an ended sweep to its best run, and registers a model version if the spec asks for one. Idempotent.
 */
export async function sendModel(
  context: MirrorContext,
  { client }: PlacedSubject,
  sweep: MirroredSweep,
): Promise<void> {
  const winner = await findWinner(context.pool, sweep.sweepId);
  if (winner === null) return;
  const place = await placeOf(context, client.trackingUri, winner);
  const put = (path: string, body: Uint8Array, type: string): Promise<void> =>
    client.putArtifact(place.artifactUri, `${FOLDER}/${path}`, body, type);
  await put('checkpoint.safetensors', await readCheckpoint(context, winner), 'application/octet-stream');
  // Last, because this file turns the folder into a model.
  await put('MLmodel', Buffer.from(describeModel(winner, place, FOLDER)), 'text/plain');
  if (sweep.target.registerModel !== '') await register(client, sweep, winner, place);
}

async function register(
  client: MlflowClient,
  sweep: MirroredSweep,
  winner: Winner,
  { mlflowRunId, artifactUri }: MirrorPlace,
): Promise<void> {
  const name = sweep.target.registerModel;
  await client.ensureRegisteredModel(name);
  if (await client.hasModelVersion(name, mlflowRunId)) return;
  await client.createModelVersion({
    name,
    source: artifactSource(artifactUri, FOLDER),
    mlflowRunId,
    description: `Best checkpoint of sweep ${sweep.sweepId}: run ${winner.runId}, epoch ${winner.epoch} of ${winner.stage}.`,
    tags: [
      { key: 'graft.sweep_id', value: sweep.sweepId },
      { key: 'graft.run_id', value: winner.runId },
      { key: 'graft.checkpoint_id', value: winner.checkpointId },
      { key: 'graft.sha256', value: winner.sha256 },
    ],
  });
}

async function readCheckpoint({ artifacts }: MirrorContext, winner: Winner): Promise<Uint8Array> {
  const bytes = await artifacts.read(winner.uri).catch((error: unknown) => {
    throw error instanceof ArtifactMissingError
      ? new MlflowError('REFUSED', error.reason, error.message, { cause: error })
      : error;
  });
  const problem = describeDigest(createHash('sha256').update(bytes).digest('hex'), winner.sha256);
  if (problem === null) return bytes;
  const error = new ArtifactDamagedError(winner.uri, problem);
  throw new MlflowError('REFUSED', error.reason, error.message, { cause: error });
}

/** Returns the MLflow run of the winner. @throws NotYetError while it is not mirrored yet; MlflowError (REFUSED) if it never will be. */
async function placeOf({ pool }: MirrorContext, trackingUri: string, { runId }: Winner): Promise<MirrorPlace> {
  const { place, isPending } = await findRunPlace(pool, trackingUri, runId);
  if (place !== null) return place;
  if (isPending) throw new NotYetError(`The best run, ${runId}, is not in MLflow yet.`);
  throw new MlflowError(
    'REFUSED',
    'RUN_NOT_MIRRORED',
    `The best run, ${runId}, is not in MLflow, and none of its entries waits to be sent. Resend the sweep: graft mlflow resend.`,
  );
}
