import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { TaskError } from '../task.ts';
import { Mistakes } from './mistakes.ts';
import { SHA256, lineMistake, shown, textMistake } from './text-rules.ts';

/** Maximum length of a message; a trainer truncates its own. */
const MAX_ERROR_MESSAGE = 20_000;
/** The form of a code rather than a list: a later trainer may send a code that this coordinator does not know. The class decides. */
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;
const MAX_PROBLEM_TEXT = 8_192;
const MAX_FEATURE_KEYS = 4_096;
const MAX_CHECKPOINTS = 4_096;
const MAX_CHECKPOINT_ID = 64;

/** Returns the mistakes in an error that a trainer reports. */
export function checkTaskError(error: TaskError, field: string): FieldViolation[] {
  const mistakes = new Mistakes();
  if (!CODE.test(error.code)) {
    mistakes.add(`${field}.code`, `must be a name such as DATASET_INVALID; received ${shown(error.code)}.`);
  }
  mistakes.add(`${field}.message`, textMistake(error.message, MAX_ERROR_MESSAGE));
  for (const [index, problem] of error.datasetProblems.entries()) {
    mistakes.add(`${field}.dataset_problems[${index}].path`, storableMistake(problem.path));
    mistakes.add(`${field}.dataset_problems[${index}].message`, storableMistake(problem.message));
  }
  const keys = error.missingFeatureKeys ?? [];
  if (keys.length > MAX_FEATURE_KEYS) {
    mistakes.add(`${field}.missing_feature_keys`, `must be at most ${MAX_FEATURE_KEYS}; received ${keys.length}.`);
  }
  for (const [index, key] of keys.slice(0, MAX_FEATURE_KEYS).entries()) {
    const description = `must be 64 hexadecimal digits; received ${shown(key)}.`;
    mistakes.add(`${field}.missing_feature_keys[${index}]`, SHA256.test(key) ? null : description);
  }
  const checkpointIds = error.damagedCheckpointIds ?? [];
  if (checkpointIds.length > MAX_CHECKPOINTS) {
    const description = `must be at most ${MAX_CHECKPOINTS}; received ${checkpointIds.length}.`;
    mistakes.add(`${field}.damaged_checkpoint_ids`, description);
  }
  for (const [index, checkpointId] of checkpointIds.slice(0, MAX_CHECKPOINTS).entries()) {
    mistakes.add(`${field}.damaged_checkpoint_ids[${index}]`, lineMistake(checkpointId, MAX_CHECKPOINT_ID));
  }
  return mistakes.list;
}

/** Describes what PostgreSQL can't store in a path of an image or a message about it; null: nothing. File names may have any other character. */
export function storableMistake(text: string): string | null {
  if (text.length > MAX_PROBLEM_TEXT) {
    return `must have at most ${MAX_PROBLEM_TEXT} characters; received ${text.length}.`;
  }
  return text.includes('\0') ? 'must not have the character U+0000.' : null;
}
