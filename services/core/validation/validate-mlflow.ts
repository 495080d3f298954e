import type { MlflowTarget } from '../sweep/sweep-spec.ts';
import { controlProblem } from '../text/control-characters.ts';
import { show } from '../text/show.ts';
import type { ViolationList } from './violations.ts';

/** MLflow's own limits (`mlflow/utils/validation.py`; column of the model's name): found now rather than when the sweep has ended. */
const MAX_EXPERIMENT_LENGTH = 500;
const MAX_MODEL_LENGTH = 256;

export function validateMlflow({ experiment, registerModel }: MlflowTarget, found: ViolationList): void {
  for (const [field, name] of Object.entries({ experiment, register_model: registerModel })) {
    const problem = controlProblem(name);
    if (problem !== null) found.add(`mlflow.${field}`, problem);
  }
  if (experiment.length > MAX_EXPERIMENT_LENGTH) {
    found.add(
      'mlflow.experiment',
      `must have at most ${MAX_EXPERIMENT_LENGTH} characters; received ${experiment.length}.`,
    );
  }
  if (experiment !== experiment.trim()) {
    found.add('mlflow.experiment', `must not begin or end with a blank; received ${show(experiment)}.`);
  }
  if (registerModel.length > MAX_MODEL_LENGTH) {
    found.add(
      'mlflow.register_model',
      `must have at most ${MAX_MODEL_LENGTH} characters; received ${registerModel.length}.`,
    );
  }
  if (/[/:]/.test(registerModel) || /^\.{1,2}$/.test(registerModel) || registerModel !== registerModel.trim()) {
    found.add(
      'mlflow.register_model',
      `must be a name without / and : and without blanks around it, as MLflow asks; received ${show(registerModel)}.`,
    );
  }
}
