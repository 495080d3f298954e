import { countImages } from './dataset.ts';
import type { Dataset } from './dataset.ts';
import { CLASS_METRICS } from './objective.ts';
import type { ClassMetric, Objective } from './objective.ts';

/** Largest number of scores of one validation pass for which `val_auc` is recorded unasked: 2 MB for each run of a group. */
const MAX_UNASKED_SCORES = 2 ** 18;

/** Returns whether training tasks record `val_auc`, for which they keep the scores of all validation images. */
export function recordsAuc(objective: Objective, imageCount: number, classCount: number): boolean {
  return objective.metric === 'val_auc' || imageCount * classCount <= MAX_UNASKED_SCORES;
}

/**
 * Returns the class metrics that a training task records. Macro F1 and balanced accuracy need three counts per class and cost
 * nothing that can be measured. The area under the curve keeps and sorts every score, so a large validation split has it only as the
 * objective.
 */
export function classMetricsOf(
  objective: Objective,
  { classNames, classCounts }: Pick<Dataset, 'classNames' | 'classCounts'>,
): readonly ClassMetric[] {
  const withAuc = recordsAuc(objective, countImages(classCounts).validation, classNames.length);
  return CLASS_METRICS.filter((metric) => metric !== 'val_auc' || withAuc);
}
