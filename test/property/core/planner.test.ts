import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planSweep } from '../../../services/core/planner/plan-sweep.ts';
import type { Plan, PlanInput } from '../../../services/core/planner/plan.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { VGG16_LAYERS } from '../../unit/core/support/layers.ts';

const runParameters: fc.Arbitrary<Parameters> = fc.record({
  backbone: fc.constantFrom('vgg16', 'mobilenet_v2'),
  method: fc.constantFrom('cached', 'augmented'),
  cut: fc.constantFrom('', 'block4_pool'),
  image_size: fc.constantFrom(64, 96),
  'head.pooling': fc.constantFrom('avg', 'max', 'flatten'),
  'augmentation.seed': fc.constantFrom(1, 2),
  batch_size: fc.constantFrom(16, 32),
  data_seed: fc.constantFrom(1, 2),
  epochs: fc.integer({ min: 1, max: 5 }),
  'fine_tune.enabled': fc.boolean(),
  'fine_tune.unfreeze': fc.constantFrom('last_block', 'all', '2', 'block3'),
});

const inputs = fc
  .record({
    parameters: fc.array(runParameters, { minLength: 1, maxLength: 24 }),
    slotCount: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ parameters, slotCount }): PlanInput => ({
    sweepId: 's1',
    objective: { metric: 'val_loss', goal: 'minimize' },
    runs: parameters.map((p, index) => ({ runId: `s1-r${index}`, index, config: compileRunConfig(p) })),
    dataset: { digest: 'd' },
    weights: ['vgg16', 'mobilenet_v2'].map((backbone) => ({
      backbone,
      weights: 'imagenet',
      digest: backbone,
      layers: VGG16_LAYERS,
    })),
    slotCount,
  }));

function runIdsOf(plan: Plan, stage: string): string[] {
  return plan.tasks.filter((task) => task.stage === stage).flatMap((task) => task.runIds);
}

test('every run has one HEAD, and one FINE_TUNE exactly where it is on', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const plan = planSweep(input);
      const tuned = input.runs.filter((run) => run.config.fineTune !== null).map((run) => run.runId);
      expect(runIdsOf(plan, 'HEAD').sort()).toEqual(input.runs.map((run) => run.runId).sort());
      expect(runIdsOf(plan, 'FINE_TUNE').sort()).toEqual(tuned.sort());
    }),
  );
});

test('each feature set is computed by one task, and whoever reads it waits for that one', () => {
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

test('tasks depend on earlier ones only, and a fine-tuning on the head of its run', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const { tasks } = planSweep(input);
      const heads = new Map(
        tasks.filter((t) => t.stage === 'HEAD').flatMap((t) => t.runIds.map((id) => [id, t.taskId])),
      );
      const earlier = new Set<string>();
      for (const task of tasks) {
        for (const dependency of task.dependsOn) expect(earlier).toContain(dependency);
        expect(new Set(task.dependsOn).size).toBe(task.dependsOn.length);
        if (task.stage === 'FINE_TUNE') expect(task.dependsOn).toContain(heads.get(task.runIds[0] ?? ''));
        expect(earlier).not.toContain(task.taskId);
        earlier.add(task.taskId);
      }
    }),
  );
});

test('runs of one HEAD task read the same batches', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const configs = new Map(input.runs.map((run) => [run.runId, run.config]));
      for (const task of planSweep(input).tasks.filter(({ stage }) => stage === 'HEAD')) {
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

test('planning again gives the same plan, in whatever order the runs come', () => {
  fc.assert(
    fc.property(inputs, (input) => {
      expect(planSweep({ ...input, runs: [...input.runs].reverse() })).toEqual(planSweep(input));
    }),
  );
});
