import { describe, expect, it } from 'vitest';
import { priorityChange, slotsChange } from '../../../services/cli/actions/annotate.ts';
import { searchFacts } from '../../../services/cli/describe/search-text.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { sampleSweep } from './sample-sweep.ts';

describe('the facts of a search', () => {
  it('are none for a sweep of before', () => {
    expect(searchFacts(sampleSweep())).toEqual([]);
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
