import type { RunRecord } from './run.ts';
import type { TestResultRecord } from './test-result.ts';

/** A run's place in its sweep's ranking by validation. */
export interface LeaderboardRecord {
  readonly rank: number;
  readonly run: RunRecord;
  /** Null where the run was not evaluated on the test split. */
  readonly testResult: TestResultRecord | null;
}
