import { expect, test } from 'vitest';
import { WeightFileMissingError } from '../../../../services/trainer/backbones/weight-file.ts';
import { resolveWeights } from '../../../../services/trainer/training/resolve-weights.ts';
import type { TaskContext } from '../../../../services/trainer/training/task-context.ts';
import { TaskLink, TaskStoppedError } from '../../../../services/trainer/training/task-link.ts';

const REFERENCE = { backbone: 'mobilenet', weights: '/there/is/no/such.h5' };

function contextOf(link: TaskLink): TaskContext {
  const task = { weightsReferences: [REFERENCE] };
  return { task, link, cacheDir: '/there/is/no/cache' } as unknown as TaskContext;
}

test('a task that was asked to pause stops, whatever became of its only weights', async () => {
  const link = new TaskLink('t1', () => undefined);
  await expect(resolveWeights(contextOf(link))).rejects.toThrow(WeightFileMissingError);
  link.receive({ type: 'control', action: 'pause' } as Parameters<TaskLink['receive']>[0]);
  await expect(resolveWeights(contextOf(link))).rejects.toThrow(TaskStoppedError);
});
