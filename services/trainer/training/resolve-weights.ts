import { BackboneError } from '../../core/network/backbone-error.ts';
import { isMachineFault } from '../../core/machine-fault.ts';
import type { MissingWeights, TaskError, TaskResult, WeightsInfo, WeightsReference } from '../../core/task.ts';
import { checkWeights, describeWeights, findWeights } from '../backbones/load.ts';
import { WeightsUnavailableError } from '../backbones/weight-file.ts';
import { PathOutsideError } from '../data/data-root.ts';
import { requireWeightsInside } from './task-context.ts';
import type { TaskContext } from './task-context.ts';
import { TaskFailureError, taskErrorOf } from './task-error.ts';

type Resolved = Pick<Extract<TaskResult, { stage: 'INDEX' }>, 'weights' | 'missingWeights'>;

interface Failure {
  readonly reference: WeightsReference;
  readonly error: unknown;
}

/**
 * Resolves the weights that the sweep names. All files are looked up, or downloaded at once, before the first is read, so that missing
 * ones are known within seconds. Those that can't be used are reported beside the others.
 *
 * @throws {TaskFailureError} when none can be used; other errors of this machine, such as a full disk.
 */
export async function resolveWeights({ task, cacheDir, dataRoot = null, link }: TaskContext): Promise<Resolved> {
  const { weightsReferences: references } = task;
  const options = { cacheDir, onProgress: link.onProgress };
  const failures: Failure[] = [];
  const attempt = async <T>(reference: WeightsReference, work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!isAboutWeights(error)) throw error;
      failures.push({ reference, error });
      return null;
    }
  };
  const found = await Promise.all(
    references.map(async (reference) => {
      const isFound = await attempt(reference, async () => {
        await requireWeightsInside(dataRoot, reference.weights);
        await findWeights(reference, options);
        return true;
      });
      return isFound === true ? [reference] : [];
    }),
  );
  // Tries that got no data reported no progress, which is where a download hears of a pause.
  await link.breatheOrStop(0, references.length, 'weights');
  const weights: WeightsInfo[] = [];
  for (const reference of found.flat()) {
    await link.breatheOrStop(weights.length, references.length, `weights of ${reference.backbone}`);
    const info = await attempt(reference, async () => {
      await checkWeights(reference, options);
      return describeWeights(reference, options);
    });
    if (info !== null) weights.push(info);
  }
  // In the order of the references, whichever download failed first.
  failures.sort((a, b) => references.indexOf(a.reference) - references.indexOf(b.reference));
  const [first] = failures;
  if (first !== undefined && weights.length === 0) throw failures.length === 1 ? first.error : together(failures);
  return { weights, missingWeights: failures.map(missingOf) };
}

/** Returns whether an error concerns one base's weights rather than this machine or the task. */
function isAboutWeights(error: unknown): boolean {
  return (
    error instanceof BackboneError || error instanceof WeightsUnavailableError || error instanceof PathOutsideError
  );
}

function missingOf({ reference, error }: Failure): MissingWeights {
  const taskError = taskErrorOf(error);
  const temporary = error instanceof WeightsUnavailableError && error.isTemporary;
  return { ...reference, reason: taskError.message, elsewhere: isMachineFault(taskError), temporary };
}

/** Returns one error that names all weights. A retry, or files that a person adds, help only if they help one of them. */
function together(failures: readonly Failure[]): TaskFailureError {
  const errors = failures.map(({ error }) => taskErrorOf(error));
  const message = errors.map((error) => error.message).join('\n');
  const has = (wanted: Partial<TaskError>): TaskError | undefined =>
    errors.find(
      ({ code, errorClass }) => code === (wanted.code ?? code) && errorClass === (wanted.errorClass ?? errorClass),
    );
  const decisive =
    has({ code: 'WEIGHTS_UNAVAILABLE' }) ?? has({ errorClass: 'INFRASTRUCTURE' }) ?? errors.find(isMachineFault);
  const { errorClass, code } = decisive ?? errors[0] ?? { errorClass: 'PERMANENT', code: 'BACKBONE_INVALID' };
  return new TaskFailureError(errorClass, code, message);
}
