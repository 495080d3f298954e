import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { scaledObject } from '../../contract/deploy/support/custom-resources.ts';
import { specOf, startHarness } from '../coordinator/harness.ts';
import type { Harness } from '../coordinator/harness.ts';

const FILE = new URL('../../../deploy/components/autoscaling/scaled-object.yaml', import.meta.url);

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

it('asks the database for as many trainers as there are tasks that can be worked on', async () => {
  const [first] = parseAllDocuments(readFileSync(FILE, 'utf8'));
  const [trigger] = scaledObject.extend({ metadata: scaledObject.shape.metadata.partial() }).parse(first?.toJS())
    .spec.triggers;
  const wanted = async (): Promise<number> => {
    // KEDA reads one number of one row.
    const rows = await harness.query(trigger?.metadata.query ?? '');
    return Number(Object.values(rows[0] ?? {})[0]) / Number(trigger?.metadata.targetQueryValue);
  };
  expect(await wanted()).toBe(0);
  await harness.submit(specOf());
  await harness.submit(specOf({ displayName: 'another' }));
  expect(await wanted()).toBe(2);
  const trainer = await harness.trainer('t1');
  const task = await trainer.mustLease('INDEX');
  expect(await wanted()).toBe(2);
  await trainer.work(task);
  // Tasks that wait for others need no slot yet: the sweep has one FEATURES task now, and training waits for it.
  const waiting = await harness.query<{ count: number }>(`SELECT count(*)::int FROM tasks WHERE state = 'WAITING'`);
  expect(waiting[0]?.count).toBeGreaterThan(0);
  expect(await wanted()).toBe(2);
});
