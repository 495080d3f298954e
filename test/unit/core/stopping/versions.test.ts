import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { nextAction } from '../../../../services/core/stopping/advance.ts';
import type { StoredSearch } from '../../../../services/core/stopping/decision-inputs.ts';
import { stateOf } from '../../../../services/core/stopping/decision-inputs.ts';
import type { ActionInputs } from '../../../../services/core/stopping/decision-inputs.ts';
import type { RuleVersion } from '../../../../services/core/stopping/policy.ts';
import { replay } from '../../../../services/core/stopping/replay.ts';
import type { StoredDecision } from '../../../../services/core/stopping/replay.ts';

/** Sweeps with ties, limits, failed and infeasible runs and budgets, as version 1 of the rules has decided and stored them. */
const SWEEPS = JSON.parse(readFileSync(new URL('decisions-v1.json', import.meta.url), 'utf8')) as {
  stored: StoredSearch;
  decisions: StoredDecision[];
}[];

describe('decisions of version 1', () => {
  test.each(SWEEPS.map((sweep, number) => ({ ...sweep, name: `sweep ${number}, ${sweep.stored.policy.rule}` })))(
    'are recomputed: $name',
    ({ stored, decisions }) => {
      expect(replay(asRead(stored), decisions)).toEqual([]);
    },
  );

  test('differ from those of the present version', () => {
    const bounded = SWEEPS.at(-1)!;
    const search = asRead(bounded.stored);
    const end = bounded.decisions.at(-1)!;
    const state = stateOf(search, end.inputs as ActionInputs);
    expect(nextAction(search.policy, state)).toMatchObject({ kind: 'END', cause: 'BUDGET' });
    const rule = search.policy.rule.replace('@1', '@2') as RuleVersion;
    expect(nextAction({ ...search.policy, rule }, state)).toMatchObject({ kind: 'END', cause: 'ALL_DECIDED' });
  });
});

/** Fills in what rows of version 1 don't have, as the columns' defaults do. */
function asRead(stored: StoredSearch): StoredSearch {
  const rungs = stored.rungs.map((entries) =>
    entries.map((entry) => ({ ...entry, completedEpochs: null, tieOrder: 0 })),
  );
  return { ...stored, rungs };
}
