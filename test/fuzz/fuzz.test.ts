import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fuzzMethod } from './fuzz-methods.ts';
import { startGuardedCoordinator } from './guarded-coordinator.ts';
import type { GuardedCoordinator } from './guarded-coordinator.ts';
import { sendGarbage } from './http2-garbage.ts';
import { allMethods, HEALTH, RawClient } from './raw-calls.ts';

/** Messages per method; `npm run fuzz` sends any number. */
const MESSAGE_COUNT = 200;
const GUEST_MESSAGE_COUNT = 50;
const CONNECTION_COUNT = 200;

let folder: string;
let guarded: GuardedCoordinator;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-fuzz-'));
  guarded = await startGuardedCoordinator(folder);
}, 120_000);
afterAll(async () => {
  await guarded[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const methods = allMethods();
const others = methods.flatMap(({ samples }) => samples);

it.each(methods.map((method) => [method.path, method] as const))(
  '%s answers any bytes, without internal details',
  { timeout: 60_000 },
  async (path, method) => {
    const { coordinator } = guarded;
    const options = { coordinator, token: guarded.tokenFor(path), seed: 1, messageCount: MESSAGE_COUNT };
    expect((await fuzzMethod(options, method, others)).faults).toEqual([]);
    const guest = await fuzzMethod({ ...options, token: null, messageCount: GUEST_MESSAGE_COUNT }, method, others);
    expect(guest.faults).toEqual([]);
    if (path !== HEALTH.path) expect([...guest.codes.keys()]).not.toContain('OK');
  },
);

it('continues after connections with invalid HTTP/2', { timeout: 60_000 }, async () => {
  await sendGarbage(guarded.coordinator.address, 1, CONNECTION_COUNT);
  const client = new RawClient(guarded.coordinator.address, null);
  expect(await client.call(HEALTH, () => Buffer.alloc(0))).toMatchObject({ code: 'OK' });
  client.close();
});
