import { describe, expect, it } from 'vitest';
import { createStream } from '../../../../services/core/rng/stream.ts';
import { nameOf } from '../../../../services/core/stopping/screen/candidate.ts';
import type { ScreenCandidate } from '../../../../services/core/stopping/screen/candidate.ts';
import { describeVerdict } from '../../../../services/core/stopping/screen/describe.ts';
import { screen, screenPolicyOf, SCREEN_RULE } from '../../../../services/core/stopping/screen/keep.ts';

const IMAGES = 300;

/** A candidate that is right on the images that `isRight` names. */
function candidate(
  position: number,
  isRight: (image: number) => boolean,
  changes: Partial<ScreenCandidate> = {},
): ScreenCandidate {
  const correct = new Uint8Array(Math.ceil(IMAGES / 8));
  for (let image = 0; image < IMAGES; image += 1) {
    if (isRight(image)) correct[image >> 3] = (correct[image >> 3] ?? 0) | (1 << (image & 7));
  }
  return {
    position,
    backbone: `base${position}`,
    weights: 'imagenet',
    cut: null,
    imageSize: 160,
    pooling: 'avg',
    seconds: 100,
    isBaseline: false,
    evidence: { correct, count: IMAGES, logMe: 0.5 },
    failure: null,
    ...changes,
  };
}

/** Right on the first images. */
const first = (count: number) => (image: number) => image < count;
const policyOf = (keep: number) => ({ rule: SCREEN_RULE, keep }) as const;

function kept(keep: number, candidates: readonly ScreenCandidate[]): number[] {
  return screen(policyOf(keep), candidates)
    .verdicts.filter(({ isKept }) => isKept)
    .map(({ position }) => position);
}

describe('a screen', () => {
  it('keeps the best and what is not distinguishable from it', () => {
    expect(kept(4, [candidate(0, first(240)), candidate(1, first(279)), candidate(2, first(277))])).toEqual([1, 2]);
  });

  it("divides its level by the number of comparisons, as Bonferroni's bound does", () => {
    // Right on five images fewer, none more: p = 1/64.
    const [best, worse] = [candidate(0, first(280)), candidate(1, first(275))];
    expect(kept(9, [best, worse])).toEqual([0]);
    const others = [2, 3, 4].map((position) => candidate(position, first(100)));
    expect(kept(9, [best, worse, ...others])).toEqual([0, 1]);
  });

  it('has at most as many places as the file says, for the better ones; of equal ones for the cheaper', () => {
    const candidates = [
      candidate(0, first(277), { seconds: 50 }),
      candidate(1, first(278)),
      candidate(2, first(279)),
      candidate(3, first(277), { seconds: 20 }),
    ];
    expect(kept(3, candidates)).toEqual([2, 1, 3]);
    expect(kept(1, candidates)).toEqual([2]);
  });

  it("keeps the baseline's in any case, within the number", () => {
    const candidates = [
      candidate(0, first(100), { isBaseline: true }),
      candidate(1, first(279)),
      candidate(2, first(278)),
      candidate(3, first(277)),
    ];
    expect(kept(3, candidates)).toEqual([1, 2, 0]);
    // The best one is never left out for it.
    expect(kept(1, candidates)).toEqual([1, 0]);
  });

  it('keeps what has no result beside the others, and all where none has one', () => {
    const failed = (position: number) =>
      candidate(position, first(0), { evidence: null, failure: 'its weights are damaged' });
    expect(kept(1, [failed(0), candidate(1, first(200)), candidate(2, first(280))])).toEqual([2, 0]);
    expect(kept(1, [failed(0), failed(1)])).toEqual([0, 1]);
  });

  it('leaves out a candidate as good as the best in few of many screens', () => {
    let left = 0;
    for (let seed = 0; seed < 200; seed += 1) {
      const stream = createStream(seed, 'equal candidates');
      const hard = Array.from({ length: IMAGES }, () => stream.uniform() < 0.15);
      const equal = [0, 1, 2, 3, 4, 5].map((position) => {
        const right = hard.map((isHard) => !isHard || stream.uniform() < 0.5);
        return candidate(position, (image) => right[image] === true);
      });
      left += 6 - kept(6, equal).length;
    }
    // Of 1,000 comparisons with a best one that was lucky: 5.1 %.
    expect(left / 1000).toBeLessThan(0.07);
  });

  it('is off where the spec has none, says off, or has one candidate', () => {
    expect(screenPolicyOf({}, 9)).toBeNull();
    expect(screenPolicyOf({ screen: 'off' }, 9)).toBeNull();
    expect(screenPolicyOf({ screen: { keep: 3, images: 0 } }, 1)).toBeNull();
    expect(screenPolicyOf({ screen: { keep: 3, images: 0 } }, 2)).toEqual({ rule: 'screen@1', keep: 3 });
  });
});

describe('what a screen says', () => {
  const candidates = [
    candidate(0, first(243), { backbone: 'vgg16' }),
    candidate(1, (image) => image >= 10 && image < 290, { backbone: 'mobilenet_v2' }),
    candidate(2, first(0), { backbone: 'resnet50', evidence: null, failure: 'its weights are damaged' }),
  ];
  const table = screen(policyOf(2), candidates);
  const said = (position: number): string => {
    const verdict = table.verdicts.find((one) => one.position === position);
    if (verdict === undefined) throw new Error(`no verdict on ${position}`);
    return describeVerdict(candidates, table, verdict, 2);
  };

  it('has all numbers of the comparison', () => {
    expect(said(0)).toBe(
      'screened out: 0.810 of 300 images predicted correctly; mobilenet_v2, the best, 0.933; only that one right on 47, only this one on ' +
        '10, p < 0.001 (bound 0.05); LogME 0.50 against 0.50, which decides nothing',
    );
    expect(said(1)).toBe('kept: the best of 3, 0.933 of 300 images predicted correctly');
    expect(said(2)).toBe('kept: its probe has no result (its weights are damaged), so nothing is known against it');
  });

  it('names a candidate by what differs in the sweep', () => {
    const small = { ...candidates[0]!, imageSize: 96 };
    expect(nameOf(small, [small, { ...small, imageSize: 160 }])).toBe('vgg16 at 96 px');
    expect(nameOf(small, [small, { ...small, cut: 'block4_pool' }])).toBe('vgg16');
    expect(nameOf({ ...small, cut: 'block4_pool' }, [small, { ...small, cut: 'block4_pool' }])).toBe(
      'vgg16 up to block4_pool',
    );
  });
});
