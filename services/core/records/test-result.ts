import type { TestRole } from '../task.ts';

export interface ClassResultRecord {
  readonly className: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
}

export interface TestResultRecord {
  readonly runId: string;
  readonly checkpointId: string;
  readonly role: TestRole;
  readonly accuracy: number;
  /** Ends of the 95 % Wilson interval. */
  readonly accuracyLow: number;
  readonly accuracyHigh: number;
  readonly loss: number;
  /** Two classes only. */
  readonly rocAuc: number | null;
  readonly imageCount: number;
  readonly correctCount: number;
  /** Row by row: true class; column: called class. */
  readonly confusionMatrix: readonly number[];
  readonly classResults: readonly ClassResultRecord[];
}
