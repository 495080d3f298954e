import type { LeaderboardRecord } from '../../../core/records/leaderboard.ts';
import type { WinnerStatement } from '../../../core/records/winner-statement.ts';
import type { LeaderboardEntry } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type * as proto from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { absentNulls, nullAbsent } from './fields.ts';
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

export function winnerStatementToProto(statement: WinnerStatement): proto.WinnerStatement {
  return absentNulls(statement);
}

export function winnerStatementFromProto(message: proto.WinnerStatement): WinnerStatement {
  return nullAbsent(message);
}
