import { expect, test } from 'vitest';
import { validateMlflow } from '../../../services/core/validation/validate-mlflow.ts';
import { ViolationList } from '../../../services/core/validation/violations.ts';

function fieldsOf(experiment: string, registerModel: string): string[] {
  const found = new ViolationList();
  validateMlflow({ experiment, registerModel }, found);
  return found.violations.map(({ field }) => field);
}

test.each([
  ['', ''],
  ['team/cats and dogs', 'cats-dogs'],
  ['e'.repeat(500), 'm'.repeat(256)],
])('experiment %j and model %j are names that MLflow takes', (experiment, registerModel) => {
  expect(fieldsOf(experiment, registerModel)).toEqual([]);
});

test.each([
  ['e'.repeat(501), '', 'mlflow.experiment'],
  [' cats', '', 'mlflow.experiment'],
  ['', 'm'.repeat(257), 'mlflow.register_model'],
  ['', 'cats/dogs', 'mlflow.register_model'],
  ['', 'cats:1', 'mlflow.register_model'],
  ['', '..', 'mlflow.register_model'],
  ['', 'cats ', 'mlflow.register_model'],
])('experiment %j and model %j: %s is refused', (experiment, registerModel, field) => {
  expect(fieldsOf(experiment, registerModel)).toEqual([field]);
});
