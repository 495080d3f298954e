import { DEFAULT_WINNER_RULE, FINALIST_DEFAULTS } from '../../../core/sweep/finalist-spec.ts';
import type { FinalistSpec, WinnerRule } from '../../../core/sweep/finalist-spec.ts';
import { WinnerRule as ProtoWinnerRule } from '../../../../proto/gen/graft/v1/sweep.ts';
import type * as proto from '../../../../proto/gen/graft/v1/sweep.ts';
import { lowerCaseEnum } from './enum-codec.ts';
import type { Violations } from './fields.ts';

export const WINNER_RULE_CODEC = lowerCaseEnum<WinnerRule, typeof ProtoWinnerRule>(ProtoWinnerRule);

export function finalistsFromProto({ runs, seeds }: proto.FinalistSpec): FinalistSpec {
  return { runs: runs ?? FINALIST_DEFAULTS.runs, seeds: seeds ?? FINALIST_DEFAULTS.seeds };
}

/** Reads the rule of the winner; undefined: the default, which no spec stores. */
export function winnerRuleFromProto(rule: ProtoWinnerRule, violations: Violations): WinnerRule | undefined {
  const read = WINNER_RULE_CODEC.tryFromProto(rule);
  if (read === null && rule !== ProtoWinnerRule.UNSPECIFIED) {
    const rules = WINNER_RULE_CODEC.values.join(', ');
    violations.add('winner_rule', `must be one of ${rules}; received the number ${rule}.`);
  }
  return read === null || read === DEFAULT_WINNER_RULE ? undefined : read;
}
