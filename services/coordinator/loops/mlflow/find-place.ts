import { MlflowError } from '../../../platform/mlflow/mlflow-error.ts';
import { isCode } from '../../../platform/mlflow/mlflow-client.ts';
import type { MlflowClient, NewMlflowRun } from '../../../platform/mlflow/mlflow-client.ts';
import type { MirrorPlace } from '../../store/outbox/claim-subjects.ts';
import { birthTags, SUBJECT_TAG } from './mapping.ts';

/**
 * Returns the experiment of a name, and creates it if there is none.
 *
 * @throws MlflowError (REFUSED) when it was deleted: restoring it is a decision of the person who deleted it.
 */
export async function findOrCreateExperiment(client: MlflowClient, name: string): Promise<string> {
  const found = (await client.findExperiment(name)) ?? (await createExperiment(client, name));
  if (!found.isDeleted) return found.experimentId;
  throw new MlflowError(
    'REFUSED',
    'EXPERIMENT_DELETED',
    `MLflow's experiment '${name}' has been deleted. Restore it (mlflow experiments restore -x ${found.experimentId}) and run ` +
      '`graft mlflow retry`, or name another experiment in the sweep file.',
  );
}

async function createExperiment(
  client: MlflowClient,
  name: string,
): Promise<{ readonly experimentId: string; readonly isDeleted: boolean }> {
  try {
    return { experimentId: await client.createExperiment(name), isDeleted: false };
  } catch (error) {
    if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
    // Another client created it in between.
    const found = await client.findExperiment(name);
    if (found === null) throw error;
    return found;
  }
}

/**
 * Returns the MLflow run of a subject, found by its tag or created. `runs/create` takes no request id, so a run whose creation was
 * never confirmed must be searched for.
 */
export async function findOrCreateRun(
  client: MlflowClient,
  subjectId: string,
  parentRunId: string | null,
  run: Omit<NewMlflowRun, 'tags'>,
): Promise<MirrorPlace> {
  const found = await client.findRun(run.experimentId, { key: SUBJECT_TAG, value: subjectId });
  return found ?? client.createRun({ ...run, tags: birthTags(subjectId, parentRunId) });
}
