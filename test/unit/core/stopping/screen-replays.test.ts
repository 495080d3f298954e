import { expect, it } from 'vitest';
import { createStream } from '../../../../services/core/rng/stream.ts';
import type { ScreenCandidate } from '../../../../services/core/stopping/screen/candidate.ts';
import { screen, SCREEN_RULE } from '../../../../services/core/stopping/screen/keep.ts';

const IMAGES = 300;
const REPLAYS = 200;
/** Skills of nine backbones, in standard deviations of an image's difficulty: accuracies from 0.80 to 0.93, two of them nearly the best. */
const SKILLS = [0.95, 1.05, 1.15, 1.25, 1.35, 1.45, 1.6, 1.62, 1.65];
/** Part of the outcome that is the backbone's own: two of equal skill differ on about 8 % of the images. */
const OWN = 0.4;

/** Returns whether each backbone is right on each image; hard ones are hard for all. */
function outcomes(seed: number, count: number): readonly (readonly boolean[])[] {
  const stream = createStream(seed, 'screened images');
  const difficulties = Array.from({ length: count }, () => stream.normal());
  return SKILLS.map((skill) => difficulties.map((difficulty) => skill + OWN * stream.normal() > difficulty));
}

function candidateOf(right: readonly boolean[], position: number, places: readonly number[]): ScreenCandidate {
  const correct = new Uint8Array(Math.ceil(places.length / 8));
  for (const [image, place] of places.entries()) {
    if (right[place] === true) correct[image >> 3] = (correct[image >> 3] ?? 0) | (1 << (image & 7));
  }
  const evidence = { correct, count: places.length, logMe: 0 };
  const target = {
    backbone: `base${position}`,
    weights: 'imagenet',
    cut: null,
    imageSize: 160,
    pooling: 'avg',
  } as const;
  return { ...target, position, seconds: 1, isBaseline: false, evidence, failure: null };
}

it('keeps the best backbone of exhaustive training in 95 % of bootstrap replays, and less than half of all', () => {
  // The exhaustive winner is the best on many more images than a probe has.
  const exhaustive = outcomes(0, 5_000).map((right) => right.filter(Boolean).length);
  const winner = exhaustive.indexOf(Math.max(...exhaustive));
  let found = 0;
  let kept = 0;
  for (let replay = 0; replay < REPLAYS; replay++) {
    const probed = outcomes(1 + Math.floor(replay / 10), IMAGES);
    const stream = createStream(replay, 'bootstrap');
    const places = Array.from({ length: IMAGES }, () => stream.int(IMAGES));
    const { verdicts } = screen(
      { rule: SCREEN_RULE, keep: 4 },
      probed.map((right, position) => candidateOf(right, position, places)),
    );
    found += verdicts.some(({ position, isKept }) => isKept && position === winner) ? 1 : 0;
    kept += verdicts.filter(({ isKept }) => isKept).length;
  }
  expect(found / REPLAYS).toBeGreaterThanOrEqual(0.95);
  expect(kept / REPLAYS).toBeLessThanOrEqual(4);
});
