import type { WinnerRecord } from '../../../core/records/winner.ts';
import { DEFAULT_WINNER_RULE } from '../../../core/sweep/finalist-spec.ts';
import type * as proto from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { absentNulls, nullAbsent, textOrNull } from './fields.ts';
import { WINNER_RULE_CODEC } from './finalists.ts';

export function winnerToProto(winner: WinnerRecord): proto.Winner {
  return {
    ...absentNulls(winner),
    rule: WINNER_RULE_CODEC.toProto(winner.rule),
    cheaperRunId: winner.cheaperRunId ?? '',
    cheaperRunIndex: winner.cheaperRunIndex ?? 0,
    statements: [...winner.statements],
  };
}

export function winnerFromProto(message: proto.Winner): WinnerRecord {
  const cheaperRunId = textOrNull(message.cheaperRunId);
  return {
    ...nullAbsent(message),
    // A rule of a later version chose a winner all the same.
    rule: WINNER_RULE_CODEC.tryFromProto(message.rule) ?? DEFAULT_WINNER_RULE,
    cheaperRunId,
    cheaperRunIndex: cheaperRunId === null ? null : message.cheaperRunIndex,
  };
}
