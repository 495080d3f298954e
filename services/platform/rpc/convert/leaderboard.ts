import type { LeaderboardRecord } from '../../../core/records/leaderboard.ts';
import type { LeaderboardEntry } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { runFromProto, runToProto } from './run.ts';
import { testResultFromProto, testResultToProto } from './test-result.ts';

/** Converts an entry of the leaderboard to its message. */
export function leaderboardEntryToProto({ rank, run, testResult }: LeaderboardRecord): LeaderboardEntry {
  return {
    rank,
    run: runToProto(run),
    testResult: testResult === null ? undefined : testResultToProto(testResult),
  };
}

/** @throws InvalidRequestError naming the field that is absent or unknown. */
export function leaderboardEntryFromProto({ rank, run, testResult }: LeaderboardEntry): LeaderboardRecord {
  return {
    rank,
    run: runFromProto(run),
    testResult: testResult === undefined ? null : testResultFromProto(testResult),
  };
}
