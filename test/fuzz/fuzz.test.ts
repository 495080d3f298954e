import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CoordinatorProcess } from '../support/coordinator-process.ts';
import { fuzzMethod } from './fuzz-methods.ts';
import { sendGarbage } from './http2-garbage.ts';
import { allMethods } from './raw-calls.ts';

/** `npm run fuzz` sends as many as you like. */
const MESSAGE_COUNT = 200;
const CONNECTION_COUNT = 200;

let folder: string;
let coordinator: CoordinatorProcess;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-fuzz-'));
  coordinator = await CoordinatorProcess.start(folder, { env: { GRAFT_LOG_LEVEL: 'error' } });
}, 120_000);
afterAll(async () => {
  await coordinator[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const methods = allMethods();
const others = methods.flatMap(({ samples }) => samples);

it.each(methods.map((method) => [method.path, method] as const))(
  '%s answers whatever comes, and tells nothing of its inside',
  { timeout: 60_000 },
  async (_path, method) => {
    const options = { coordinator, token: null, seed: 1, messageCount: MESSAGE_COUNT };
    expect((await fuzzMethod(options, method, others)).faults).toEqual([]);
  },
);

it('goes on after connections of broken HTTP/2', { timeout: 60_000 }, async () => {
  await sendGarbage(coordinator.address, 1, CONNECTION_COUNT);
  expect(await coordinator.sweeps.call.listSweeps({ pageSize: 1, pageToken: '' })).toHaveProperty('sweeps');
});
