import type { RunRecord } from './run.ts';
import type { TestResultRecord } from './test-result.ts';

export interface LeaderboardRecord {
  readonly rank: number;
  readonly run: RunRecord;
  readonly testResult: TestResultRecord | null;
}
