import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makespanSeconds } from '../../../services/core/planner/cost/makespan.ts';
import { timed } from '../../../services/core/planner/cost/plan-cost.ts';
import { headDigest } from '../../../services/core/planner/head-phase.ts';
import { planSweep } from '../../../services/core/planner/plan-sweep.ts';
import type { Plan, PlanInput, PlannedTask } from '../../../services/core/planner/plan.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { clusterOf, SMALL_DATASET } from '../../unit/core/support/plan-inputs.ts';

/** The same places in MobileNetV2, whose last two layers have no weights to train. */
const IN_MOBILENET: Readonly<Record<string, string>> = {
  block4_pool: 'block_12_add',
  '2': '3',
  block3: 'block_3',
};

const runParameters: fc.Arbitrary<Parameters> = fc
  .record({
    backbone: fc.constantFrom('vgg16', 'mobilenet_v2'),
    method: fc.constantFrom('cached', 'augmented'),
    cut: fc.constantFrom('', 'block4_pool'),
    image_size: fc.constantFrom(64, 96),
    'head.pooling': fc.constantFrom('avg', 'max', 'flatten'),
    'head.units': fc.constantFrom(64, 2048),
    'augmentation.seed': fc.constantFrom(1, 2),
    batch_size: fc.constantFrom(16, 32),
    data_seed: fc.constantFrom(1, 2),
    epochs: fc.constantFrom(1, 4),
    'fine_tune.enabled': fc.boolean(),
    'fine_tune.epochs': fc.constantFrom(1, 2),
    'fine_tune.unfreeze': fc.constantFrom('last_block', 'all', '2', 'block3'),
  })
  .map((parameters): Parameters => {
    if (parameters.backbone === 'vgg16') return parameters;
    const inMobileNet = (name: string): string => IN_MOBILENET[name] ?? name;
    const unfreeze = inMobileNet(parameters['fine_tune.unfreeze']);
    return { ...parameters, cut: inMobileNet(parameters.cut), 'fine_tune.unfreeze': unfreeze };
  });

const inputs = fc
  .record({
    parameters: fc.uniqueArray(runParameters, { minLength: 1, maxLength: 24, selector: digestOfRun }),
    slotCount: fc.integer({ min: 0, max: 5 }),
    memoryBytes: fc.constantFrom(0, 1.2e9),
  })
  .map(({ parameters, slotCount, memoryBytes }): PlanInput => ({
    sweepId: 's1',
    objective: { metric: 'val_loss', goal: 'minimize' },
    runs: parameters.map((p, index) => ({ runId: `s1-r${index}`, index, config: compileRunConfig(p) })),
    dataset: SMALL_DATASET,
    weights: ['vgg16', 'mobilenet_v2'].map((backbone) => ({
      backbone,
      weights: 'imagenet',
      digest: backbone,
    })),
    cluster: clusterOf(slotCount, { memoryBytes }),
  }));

/** Runs of a sweep differ: the sampler leaves out the second of two that would train the same. */
function digestOfRun(parameters: Parameters): string {
  return JSON.stringify(compileRunConfig(parameters));
}

function tasksOf(plan: Plan, stage: string): PlannedTask[] {
  return plan.tasks.filter((task) => task.stage === stage);
}

function runIdsOf(plan: Plan, stage: string): string[] {
  return tasksOf(plan, stage)
    .flatMap((task) => task.runIds)
    .sort();
}

test('covers every stage of every run once: by its own or a shared HEAD, and by a FINE_TUNE where enabled', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const plan = planSweep(input);
      const heads = runIdsOf(plan, 'HEAD');
      const sharers = [...plan.sharedHeads.keys()];
      expect([...heads, ...sharers].sort()).toEqual(input.runs.map((run) => run.runId).sort());
      for (const headRunId of plan.sharedHeads.values()) expect(heads).toContain(headRunId);
      const tuned = input.runs.filter((run) => run.config.fineTune !== null).map((run) => run.runId);
      expect(runIdsOf(plan, 'FINE_TUNE')).toEqual(tuned.sort());
    }),
  );
});

test('trains one head for each different head phase, which its sharers use', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const plan = planSweep(input);
      const digests = new Map(input.runs.map(({ runId, config }) => [runId, headDigest(config)]));
      expect(runIdsOf(plan, 'HEAD')).toHaveLength(new Set(digests.values()).size);
      for (const [runId, headRunId] of plan.sharedHeads) expect(digests.get(runId)).toBe(digests.get(headRunId));
    }),
  );
});

test('computes each feature set in one task, which its readers wait for', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const { tasks } = planSweep(input);
      const maker = new Map<string, string>();
      for (const task of tasks.filter(({ stage }) => stage === 'FEATURES')) {
        for (const { key } of task.featureSets) {
          expect(maker.has(key)).toBe(false);
          maker.set(key, task.taskId);
        }
      }
      const read = new Set<string>();
      for (const task of tasks.filter(({ stage }) => stage !== 'FEATURES')) {
        for (const { key } of task.featureSets) {
          read.add(key);
          expect(task.dependsOn).toContain(maker.get(key));
        }
      }
      expect([...read].sort()).toEqual([...maker.keys()].sort());
    }),
  );
});

test('makes tasks depend on earlier ones only, and a fine-tuning on the heads of all its runs', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const { tasks, sharedHeads } = planSweep(input);
      const heads = new Map(
        tasks.filter((t) => t.stage === 'HEAD').flatMap((t) => t.runIds.map((id) => [id, t.taskId])),
      );
      const earlier = new Set<string>();
      for (const task of tasks) {
        for (const dependency of task.dependsOn) expect(earlier).toContain(dependency);
        expect(new Set(task.dependsOn).size).toBe(task.dependsOn.length);
        if (task.stage === 'FINE_TUNE') {
          for (const runId of task.runIds) expect(task.dependsOn).toContain(heads.get(sharedHeads.get(runId) ?? runId));
        }
        expect(earlier).not.toContain(task.taskId);
        earlier.add(task.taskId);
      }
    }),
  );
});

test('groups runs only where they read the same batches', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const configs = new Map(input.runs.map((run) => [run.runId, run.config]));
      for (const task of planSweep(input).tasks.filter(({ runIds }) => runIds.length > 1)) {
        const streams = task.runIds.map((runId) => {
          const config = configs.get(runId);
          const pooling = config?.method === 'cached' ? config.head.pooling : null;
          return JSON.stringify([
            config?.method,
            config?.backbone,
            config?.imageSize,
            config?.augmentation,
            config?.batchSize,
            config?.dataSeed,
            pooling,
          ]);
        });
        expect(new Set(streams).size).toBe(1);
      }
    }),
  );
});

test('returns the same plan again, for any order of the runs', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      expect(planSweep({ ...input, runs: [...input.runs].reverse() })).toEqual(planSweep(input));
    }),
  );
});

test('splits groups for more slots so that they never end later than whole ones would', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const { slotCount } = input.cluster;
      const whole = planSweep({ ...input, cluster: { ...input.cluster, slotCount: 1 } });
      const cut = planSweep(input);
      const slots = Math.max(1, slotCount);
      expect(makespanSeconds(timed(cut), slots)).toBeLessThanOrEqual(makespanSeconds(timed(whole), slots) + 1e-9);
    }),
  );
});

test('keeps the memory of a training task within a slot, unless one run alone exceeds it', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const { memoryBytes } = input.cluster;
      fc.pre(memoryBytes > 0);
      for (const { runIds, forecast } of planSweep(input).tasks.filter((task) => task.runIds.length > 0)) {
        expect(runIds.length === 1 || forecast.memoryBytes <= memoryBytes).toBe(true);
      }
    }),
  );
});
