import type { DatasetSource } from '../sweep/sweep-spec.ts';
import { show } from '../text/show.ts';
import { pathProblem } from './path-problem.ts';
import type { ViolationList } from './violations.ts';

/** Tolerance of the sum, because decimal fractions are inexact: 0.7 + 0.15 + 0.15 is not exactly 1. */
const SUM_TOLERANCE = 1e-6;

export function validateDataset(dataset: DatasetSource, found: ViolationList): void {
  if (dataset.path === '') {
    found.add('dataset.path', 'is missing. Give the folder of the images as the trainers see it, from / on.');
  } else {
    const problem = pathProblem(dataset.path, 'a folder of images');
    if (problem !== null) found.add('dataset.path', problem);
  }
  const fractions = dataset.splitFractions;
  if (fractions === null) return;
  const parts = { train: fractions.train, validation: fractions.validation, test: fractions.test };
  let right = true;
  for (const [name, value] of Object.entries(parts)) {
    if (value > 0 && value < 1) continue;
    right = false;
    found.add(
      `dataset.split_fractions.${name}`,
      `must be above 0 and below 1, because each split needs images; received ${show(value)}.`,
    );
  }
  const sum = parts.train + parts.validation + parts.test;
  if (right && Math.abs(sum - 1) > SUM_TOLERANCE) {
    found.add(
      'dataset.split_fractions',
      `must sum to 1; received ${parts.train} + ${parts.validation} + ${parts.test} = ${Number(sum.toPrecision(6))}.`,
    );
  }
  if (!Number.isSafeInteger(fractions.seed) || fractions.seed < 0) {
    found.add('dataset.split_fractions.seed', `must be an integer of at least 0; received ${show(fractions.seed)}.`);
  }
}
