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
  /** Null unless there are exactly two classes. */
  readonly rocAuc: number | null;
  readonly imageCount: number;
  readonly correctCount: number;
  /** Row by row: rows are true classes, columns predicted ones. */
  readonly confusionMatrix: readonly number[];
  readonly classResults: readonly ClassResultRecord[];
}
