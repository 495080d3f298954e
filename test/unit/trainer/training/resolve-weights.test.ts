import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WeightFileMissingError } from '../../../../services/trainer/backbones/weight-file.ts';
import { resolveWeights } from '../../../../services/trainer/training/resolve-weights.ts';
import type { TaskContext } from '../../../../services/trainer/training/task-context.ts';
import { TaskLink, TaskStoppedError } from '../../../../services/trainer/training/task-link.ts';

let folder: string;
let proxy: Server;

/** A machine without cached weights, whose proxy answers each request with an error. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-resolve-weights-'));
  proxy = createServer().on('connect', (_request, client) => {
    client.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('HOME', folder);
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  vi.stubEnv('https_proxy', undefined);
  vi.stubEnv('NO_PROXY', undefined);
  vi.stubEnv('no_proxy', undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
  proxy.close();
  rmSync(folder, { recursive: true, force: true });
});

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

test('says of missing weights whether another machine or a later download may bring them', async () => {
  const path = join(folder, 'absent.h5');
  const context = {
    task: {
      weightsReferences: [
        { backbone: 'resnet50', weights: 'imagenet' },
        { backbone: 'mobilenet', weights: 'random' },
        { backbone: 'vgg16', weights: path },
      ],
    },
    cacheDir: folder,
    link: { onProgress: () => undefined, breatheOrStop: () => Promise.resolve() },
  } as unknown as TaskContext;
  const { weights, missingWeights } = await resolveWeights(context);
  expect(weights.map(({ backbone }) => backbone)).toEqual(['mobilenet']);
  expect(missingWeights).toEqual([
    expect.objectContaining({ backbone: 'resnet50', elsewhere: true, temporary: true }),
    expect.objectContaining({ backbone: 'vgg16', elsewhere: true, temporary: false }),
  ]);
}, 30_000);
