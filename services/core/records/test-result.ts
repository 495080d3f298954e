import type { TestRole } from '../task.ts';

/** Figures of one class on the test split. */
export interface ClassResultRecord {
  readonly className: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Images of the class. */
  readonly support: number;
}

/** Result of a run's best checkpoint on the test split. */
export interface TestResultRecord {
  readonly runId: string;
  readonly checkpointId: string;
  readonly role: TestRole;
  readonly accuracy: number;
  /** Lower end of the 95 % Wilson interval. */
  readonly accuracyLow: number;
  /** Upper end of the 95 % Wilson interval. */
  readonly accuracyHigh: number;
  readonly loss: number;
  /** Area under the ROC curve, for more than two classes the mean over them, each against the others; null: undefined or not recorded. */
  readonly rocAuc: number | null;
  /** Mean F1 of the classes; null from a coordinator that does not report it. */
  readonly macroF1: number | null;
  /** Mean recall of the classes; null from a coordinator that does not report it. */
  readonly balancedAccuracy: number | null;
  readonly imageCount: number;
  readonly correctCount: number;
  /** Row by row: rows are true classes, columns predicted ones. */
  readonly confusionMatrix: readonly number[];
  readonly classResults: readonly ClassResultRecord[];
}
