import { DEFAULT_WINNER_RULE, FINALIST_DEFAULTS, WINNER_RULES } from '../../core/sweep/finalist-spec.ts';
import type { FinalistSpec } from '../../core/sweep/finalist-spec.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import type { Mapping, ShapeReader } from './shape-reader.ts';
import { FINALIST_KEYS } from './sweep-shape.ts';

/** Reads `finalists` and `winner_rule`; what has its default is left out of the spec. */
export function readWinnerChoice(file: Mapping, reader: ShapeReader): Pick<SweepSpec, 'finalists' | 'winnerRule'> {
  const rule = reader.choice(file['winner_rule'], 'winner_rule', WINNER_RULES);
  return {
    ...(file['finalists'] === undefined ? {} : { finalists: readFinalists(file['finalists'], reader) }),
    ...(rule === null || rule === DEFAULT_WINNER_RULE ? {} : { winnerRule: rule }),
  };
}

function readFinalists(value: unknown, reader: ShapeReader): FinalistSpec {
  // An empty section asks for the defaults.
  const section = reader.mapping(value ?? {}, 'finalists', FINALIST_KEYS) ?? {};
  return {
    runs: reader.integer(section['runs'], 'finalists.runs') ?? FINALIST_DEFAULTS.runs,
    seeds: reader.integer(section['seeds'], 'finalists.seeds') ?? FINALIST_DEFAULTS.seeds,
  };
}
