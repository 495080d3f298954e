import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { GetLeaderboardResponse, LeaderboardEntry } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { countTestedRuns, readLeaderboard } from '../../store/runs/read-leaderboard.ts';
import { leaderboardEntryToProto, winnerStatementToProto } from '../../../platform/rpc/convert/leaderboard.ts';
import { winnerToProto } from '../../../platform/rpc/convert/winner.ts';
import { readWinner } from '../../store/explain/read-winner.ts';
import { readWinnerStatement } from '../../store/explain/read-winner-statement.ts';
import { answerWith, encodeList, requireEntries } from '../lists/encode-list.ts';
import { INDEX_KEY, pageToken, readPage } from '../page.ts';
import { requireSweep } from '../require-existing.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const RANK_KEY = z.object({ rank: INDEX_KEY });

/** Returns the handler of GetLeaderboard. */
export function getLeaderboardHandler({
  store,
  longAnswers,
}: RpcContext): Handlers<typeof SweepServiceService>['getLeaderboard'] {
  return async (request, { signal }) => {
    const sweepId = requireId(request.sweepId, 'sweep_id');
    const scope = `leaderboard/${sweepId}`;
    const asked = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: RANK_KEY });
    return longAnswers.run(signal, async () => {
      const page = await encodeList(longAnswers, {
        ...asked,
        fetch: (after, limit) => readLeaderboard(store, sweepId, after, limit),
        toProto: leaderboardEntryToProto,
        encoder: LeaderboardEntry,
        field: 1,
        largestSlice: asked.limit,
      });
      if (page.count === 0) await requireSweep(store, sweepId);
      requireEntries(page, asked);
      const testLookCount = await countTestedRuns(store, sweepId);
      // It is about the whole sweep, so the first page has it.
      const isFirst = asked.after === null;
      const statement = isFirst ? await readWinnerStatement(store.pool, sweepId) : null;
      const winner = isFirst ? await readWinner(store.pool, sweepId) : null;
      return answerWith(page, GetLeaderboardResponse, {
        testLookCount,
        nextPageToken: pageToken(scope, page.next),
        winnerStatement: statement === null ? undefined : winnerStatementToProto(statement),
        winner: winner === null ? undefined : winnerToProto(winner),
      });
    });
  };
}
