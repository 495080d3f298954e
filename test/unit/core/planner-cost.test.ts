import { describe, expect, test } from 'vitest';
import { correctionsFrom } from '../../../services/core/planner/cost/corrections.ts';
import { deviceSpeed } from '../../../services/core/planner/cost/device-speed.ts';
import { headWeightCount } from '../../../services/core/network/head-variables.ts';
import { headStepSeconds } from '../../../services/core/planner/cost/head-cost.ts';
import { makespanSeconds } from '../../../services/core/planner/cost/makespan.ts';
import {
  aloneSeconds,
  forecastEvaluation,
  forecastFineTunes,
  forecastHeads,
} from '../../../services/core/planner/cost/task-cost.ts';
import { costContextOf } from '../../../services/core/planner/plan-sweep.ts';
import { chooseParts } from '../../../services/core/planner/split-groups.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { clusterOf, SMALL_DATASET } from './support/plan-inputs.ts';

const CONTEXT = costContextOf({
  objective: { metric: 'val_loss', goal: 'minimize' },
  dataset: SMALL_DATASET,
  cluster: clusterOf(1),
});

function vgg(changes: Parameters = {}) {
  return compileRunConfig({ backbone: 'vgg16', 'head.pooling': 'flatten', ...changes });
}

describe('forecasts', () => {
  test('heads: 16 of 12,800 inputs take about what was measured with two threads, 59 to 75 ms a step', () => {
    const speed = deviceSpeed({ kind: 'cpu', threadCount: 2 });
    const weights = headWeightCount(vgg().head, 12_800, 2);
    expect(weights).toBe(3_277_313);
    const step = speed.stepSeconds + 16 * headStepSeconds(speed, weights, 32);
    expect(step).toBeGreaterThan(0.059);
    expect(step).toBeLessThan(0.075);
  });

  test('accumulated gradients and the average of the weights are one more value for each trained one', () => {
    const extras = (prefix: string): Parameters => ({
      [`${prefix}gradient_accumulation_steps`]: 4,
      [`${prefix}ema_momentum`]: 0.99,
    });
    const bytesOf = (changes: Parameters) => forecastHeads(CONTEXT, [vgg(changes)], []).memoryBytes;
    // Each slot is in memory, with a copy while the run is saved. A large head is rounded up to whole pages of 2 MiB.
    const ofHead = 2 * 2 * 4 * 3_277_313;
    expect((bytesOf(extras('optimizer.')) - bytesOf({})) / ofHead).toBeCloseTo(1, 1);
    const tuned = (changes: Parameters) =>
      forecastFineTunes(CONTEXT, [vgg({ 'fine_tune.enabled': true, ...changes })], 'block4_pool', []).memoryBytes;
    const blockWeights = 3 * (9 * 512 + 1) * 512;
    const ofTuning = 2 * 4 * blockWeights + ofHead;
    expect((tuned(extras('fine_tune.')) - tuned({})) / ofTuning).toBeCloseTo(1, 1);
  });

  test('the scores of val_auc are in memory for each member, and a second time for one class', () => {
    const large = { ...CONTEXT, imageCounts: { train: 2_000, validation: 50_000, test: 2_000 }, classCount: 100 };
    const byAuc = { ...large, objective: { metric: 'val_auc', goal: 'maximize' } as const };
    const heads = Array.from({ length: 64 }, (_, seed) => vgg({ seed }));
    const tuned = [0, 1].map((seed) => vgg({ seed, 'fine_tune.enabled': true, method: 'augmented' }));
    const added = (bytesOf: (context: typeof large) => number) => bytesOf(byAuc) - bytesOf(large);
    expect(added((context) => forecastHeads(context, heads, []).memoryBytes)).toBe(50_000 * (64 * 804 + 8));
    const ofTuned = added((context) => forecastFineTunes(context, tuned, 'block4_pool', []).memoryBytes);
    expect(ofTuned).toBe(50_000 * (2 * 804 + 8));
    // A small split has them unasked, whatever the objective.
    const small = (metric: 'val_loss' | 'val_auc') =>
      forecastHeads({ ...CONTEXT, objective: { ...CONTEXT.objective, metric } }, heads, []).memoryBytes;
    expect(small('val_auc')).toBe(small('val_loss'));
  });

  // Peaks of new worker processes in FEATURES, 400 and 200 photographs or 128 and 64, 2 threads, in MB.
  test.each([
    ['mobilenet', 64, 554],
    ['mobilenet', 160, 720],
    ['mobilenet', 224, 883],
    ['mobilenet_v2', 160, 742],
    ['mobilenet_v2', 224, 955],
    ['efficientnet_lite0', 160, 748],
    ['efficientnet_lite0', 224, 981],
    ['efficientnet_b0', 160, 947],
    ['efficientnet_b0', 224, 1277],
    ['efficientnet_v2_b0', 180, 736],
    ['resnet50', 160, 1023],
    ['resnet50', 224, 1174],
    ['resnet50_v2', 160, 1050],
    ['densenet121', 160, 811],
    ['densenet121', 224, 1034],
    ['xception', 180, 1381],
    ['vgg16', 96, 865],
    ['vgg16', 128, 991],
    ['vgg16', 180, 1469],
    ['vgg16', 224, 1766],
  ])('the memory of %s on images of %i pixels is within 10 %% of the measured peak', (backbone, size, peakMb) => {
    const config = compileRunConfig({ backbone, image_size: size });
    const { memoryBytes } = forecastEvaluation(CONTEXT, [config]);
    expect(Math.abs(memoryBytes / 1e6 / peakMb - 1)).toBeLessThan(0.1);
  });

  test('a second head on the same features costs its steps only; on a stream it costs next to nothing', () => {
    const [one, two] = [1, 2].map((count) =>
      forecastHeads(
        CONTEXT,
        Array.from({ length: count }, (_, seed) => vgg({ seed })),
        [],
      ),
    );
    const stream = vgg({ method: 'augmented' });
    const [oneStream, twoStreams] = [[stream], [stream, stream]].map((configs) => forecastHeads(CONTEXT, configs, []));
    const added = (two?.seconds ?? 0) - (one?.seconds ?? 0);
    expect((twoStreams?.seconds ?? 0) - (oneStream?.seconds ?? 0)).toBeCloseTo(added, 9);
    expect(added).toBeLessThan(0.02 * (oneStream?.seconds ?? 0));
    // Values, a slot of RMSprop and the best epoch's values: three copies, and little else.
    const bytes = (two?.memoryBytes ?? 0) - (one?.memoryBytes ?? 0);
    expect(bytes / (3 * 4 * 3_277_313)).toBeCloseTo(1, 1);
  });

  test('fine-tuning the last block from stored outputs is several times quicker than through the whole base', () => {
    const config = vgg({ 'fine_tune.enabled': true });
    const stored = forecastFineTunes(CONTEXT, [config], 'block4_pool', []).seconds;
    const alone = aloneSeconds(CONTEXT, { ...config, epochs: 0 }, 'block4_pool');
    // Reference: 64.2 against 10.9 TFLOP an epoch.
    expect(alone / stored).toBeGreaterThan(2);
    expect(alone / stored).toBeLessThan(7);
  });

  test('four augmented fine-tunings of one frozen part take less together than one by one', () => {
    const config = vgg({ 'fine_tune.enabled': true, method: 'augmented' });
    const one = forecastFineTunes(CONTEXT, [config], 'block4_pool', []).seconds;
    const four = forecastFineTunes(CONTEXT, [config, config, config, config], 'block4_pool', []).seconds;
    expect(four).toBeLessThan(0.6 * 4 * one);
    expect(four).toBeGreaterThan(one);
  });
});

describe('corrections', () => {
  const sample = (costClass: string, modelSeconds: number, measuredSeconds: number) => ({
    costClass,
    modelSeconds,
    measuredSeconds,
  });

  test('are the median of the same class, else of the same kind, else nothing', () => {
    const corrections = correctionsFrom(
      [
        sample('HEAD cached vgg16 180', 11, 21),
        sample('HEAD cached vgg16 180', 11, 31),
        sample('HEAD cached vgg16 180', 11, 1_000),
        sample('HEAD cached mobilenet 96', 11, 6),
        // Hardly any work: how long it took says nothing.
        sample('FEATURES stored vgg16 180', 1.01, 5),
      ],
      1,
    );
    expect(corrections.factor('HEAD cached vgg16 180')).toBe(3);
    expect(corrections.factor('HEAD cached resnet50 224')).toBe((2 + 3) / 2);
    expect(corrections.factor('FEATURES stored vgg16 180')).toBe(1);
    expect(corrections.factor('HEAD augmented vgg16 180')).toBe(1);
  });

  test('stay within reason', () => {
    const corrections = correctionsFrom([sample('A a', 11, 1), sample('B b', 11, 1e6)], 1);
    expect([corrections.factor('A a'), corrections.factor('B b')]).toEqual([0.02, 50]);
  });
});

describe('makespanSeconds', () => {
  const task = (taskId: string, seconds: number, ...dependsOn: string[]) => ({ taskId, seconds, dependsOn });

  test('is the sum on one slot, and waits for prerequisites on many', () => {
    const tasks = [task('a', 3), task('b', 5), task('c', 2, 'a'), task('d', 4, 'a', 'b')];
    expect(makespanSeconds(tasks, 1)).toBe(14);
    expect(makespanSeconds(tasks, 2)).toBe(9);
    expect(makespanSeconds(tasks, 9)).toBe(9);
    expect(makespanSeconds([], 2)).toBe(0);
  });

  test('slots take the first ready task of the list, as coordinators do', () => {
    // The long one comes last and so begins late.
    expect(makespanSeconds([task('a', 2), task('b', 2), task('c', 6)], 2)).toBe(8);
    expect(makespanSeconds([task('c', 6), task('a', 2), task('b', 2)], 2)).toBe(6);
  });

  test('10,000 tasks are simulated in well under a second', () => {
    const tasks = Array.from({ length: 10_000 }, (_, index) => task(`t${index}`, 1 + (index % 7)));
    const began = performance.now();
    expect(makespanSeconds(tasks, 16)).toBeGreaterThanOrEqual(39_994 / 16);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe('chooseParts', () => {
  /** Groups of equal members; a task takes `fixed` and what its members take. */
  const choose = (groups: readonly { members: number; each: number; fixed: number }[], slotCount: number) => {
    const longest = ({ members, each, fixed }: (typeof groups)[number], parts: number): number =>
      fixed + Math.ceil(members / parts) * each;
    return chooseParts(
      groups.map((group) => ({
        memberCount: group.members,
        leastParts: 1,
        longestSeconds: (parts) => longest(group, parts),
      })),
      slotCount,
      groups.length,
      (parts) =>
        makespanSeconds(
          groups.flatMap((group, index) =>
            Array.from({ length: parts[index] ?? 1 }, (_, part) => ({
              taskId: `${index}-${part}`,
              seconds: longest(group, parts[index] ?? 1),
              dependsOn: [],
            })),
          ),
          slotCount,
        ),
    );
  };

  test('a group that takes long is spread over all slots, one that hardly takes any time is not', () => {
    expect(choose([{ members: 16, each: 60, fixed: 1 }], 4)).toEqual([4]);
    expect(choose([{ members: 16, each: 0.05, fixed: 1 }], 4)).toEqual([1]);
  });

  test('what is shared is not made twice without need: a stream of 100 s for heads of 1 s stays one', () => {
    expect(choose([{ members: 8, each: 0.1, fixed: 100 }], 8)).toEqual([1]);
  });

  test('as many groups as slots are left whole; two long ones on four slots are halved', () => {
    const long = { members: 8, each: 30, fixed: 1 };
    expect(choose([long, long, long, long], 4)).toEqual([1, 1, 1, 1]);
    expect(choose([long, long], 4)).toEqual([2, 2]);
  });
});
