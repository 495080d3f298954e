import { describe, expect, it } from 'vitest';
import { priorityChange, slotsChange } from '../../../services/cli/actions/annotate.ts';
import { ignoredSections } from '../../../services/cli/describe/ignored-text.ts';
import { searchFacts } from '../../../services/cli/describe/search-text.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { sweepSpecFromProto, sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { fitMessage } from '../../../services/coordinator/rpc/lists/shorten-message.ts';
import { Decision } from '../../../proto/gen/graft/v1/decision.ts';
import { ExplainRunResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { sampleSweep } from './sample-sweep.ts';

describe('the facts of a search', () => {
  it('are none for a sweep of before', () => {
    expect(searchFacts(sampleSweep())).toEqual([]);
  });

  it('say that nothing is spent yet', () => {
    const { spec } = sampleSweep();
    expect(searchFacts(sampleSweep({ spec: { ...spec, stopping: STOPPING_DEFAULTS }, spentSlotSeconds: 0 }))).toEqual([
      ['stopping', 'promotion where runs are fine-tuned'],
      ['spent', 'nothing yet'],
    ]);
  });

  it('name the rule with what differs from its defaults, and the current bounds', () => {
    const { spec } = sampleSweep();
    const facts = searchFacts(
      sampleSweep({
        spec: {
          ...spec,
          stopping: {
            ...STOPPING_DEFAULTS,
            rule: 'asha',
            reductionFactor: 4,
            rungs: { head: [], fineTune: [3, 9] },
            threshold: { worseThan: 2, fromEpoch: 3 },
            patience: { epochs: 5, minDelta: 0.01 },
            promoteIdle: false,
          },
          reuse: false,
        },
        budget: { slotSeconds: 7_200, wallSeconds: 90, target: { value: 0.1, confidence: 0.9 } },
        spentSlotSeconds: 1_800,
        priority: -5,
        maxParallelSlots: 2,
      }),
    );
    expect(Object.fromEntries(facts)).toEqual({
      stopping:
        'asha, one in 4 continues, rungs of fine-tuning 3, 9, worse than 2 from epoch 3, ' +
        'patience 5 epochs without 0.01 of progress, idle slots promote nothing',
      budget: '2 h 00 min of slots, 1 min 30 s of wall time, until val_loss is at most 0.1',
      spent: '30 min 00 s of slots  █████░░░░░░░░░░░░░░░ 25 % of the budget',
      priority: '-5',
      slots: 'at most 2 at once',
      reuse: 'no results of other sweeps',
    });
  });
});

describe('the answer to a submission', () => {
  const { spec } = sampleSweep();
  const sent = {
    ...spec,
    stopping: STOPPING_DEFAULTS,
    budget: { slotSeconds: 60, wallSeconds: null, target: null },
    priority: 0,
    reuse: true,
  };

  it('warns of sections that a coordinator of an earlier version left out', () => {
    expect(ignoredSections(sent, spec, 's1')).toEqual([
      'The coordinator is of an earlier version, which ignores: stopping, budget. Every run trains to its end. Update it, or end the sweep:  npx graft sweep cancel s1',
    ]);
    expect(ignoredSections({ ...spec, reuse: false }, spec, 's1')).toEqual([
      'The coordinator is of an earlier version, which ignores: reuse. Update it, or end the sweep:  npx graft sweep cancel s1',
    ]);
  });

  it('does not of what is stored, nor of values that are defaults', () => {
    const { spec: stored } = sweepSpecFromProto(sweepSpecToProto(sent));
    expect(ignoredSections(sent, stored, 's1')).toEqual([]);
    expect(ignoredSections({ ...spec, priority: 0, reuse: true }, spec, 's1')).toEqual([]);
  });
});

describe('an answer that is too large', () => {
  it('is cut, and the run that it is about says so', () => {
    const long = Array.from({ length: 40_000 }, () => ({ reason: 'x'.repeat(200) }));
    const otherDecisions = long.map(({ reason }) => Decision.fromPartial({ reason }));
    const answer = ExplainRunResponse.fromPartial({
      run: { runId: 's1-r000', stateReason: 'stopped' },
      otherDecisions,
    });
    const { run, otherDecisions: shown } = ExplainRunResponse.decode(fitMessage(answer, ExplainRunResponse));
    expect(shown).toHaveLength(100);
    expect(run?.stateReason).toMatch(
      /^stopped \(lists and strings are cut here: \d+ bytes are more than an answer may have\)$/,
    );
  });
});

describe('graft sweep priority and slots', () => {
  it('take integers, and all for no bound', () => {
    expect([priorityChange('10'), priorityChange('-5')]).toEqual([{ priority: 10 }, { priority: -5 }]);
    expect([slotsChange('3'), slotsChange('all')]).toEqual([{ maxParallelSlots: 3 }, { maxParallelSlots: 0 }]);
  });

  it.each(['high', '1.5', '', '--1'])('refuse %s', (word) => {
    expect(() => priorityChange(word)).toThrow(/must be an integer/);
    expect(() => slotsChange(word)).toThrow(/at least 1, or all/);
  });

  it('refuse no slot at all', () => {
    expect(() => slotsChange('0')).toThrow(/at least 1, or all; received '0'/);
  });
});
