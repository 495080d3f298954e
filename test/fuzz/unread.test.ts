import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ListRunsRequest, ListRunsResponse } from '../../proto/gen/graft/v1/sweep_service.ts';
import { CoordinatorProcess } from '../support/coordinator-process.ts';
import { UnreadClient } from './unread-client.ts';
import { largeSpec } from './worst-requests.ts';

const MIB = 1024 * 1024;
const CONNECTION_COUNT = 5;
const CALL_COUNT = 18;

let folder: string;
let coordinator: CoordinatorProcess;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-unread-'));
  coordinator = await CoordinatorProcess.start(folder, { env: { GRAFT_LOG_LEVEL: 'error' } });
}, 120_000);
afterAll(async () => {
  await coordinator[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

it(
  'bounds the memory of long lists that clients do not read, and answers other clients meanwhile',
  { timeout: 120_000 },
  async () => {
    const patient = { deadlineMs: 60_000 };
    const { createSweep, getSweep, listRuns } = coordinator.sweeps.call;
    const sweepId = (await createSweep({ requestId: '', spec: largeSpec(1_000) }, patient)).sweep?.sweepId ?? '';
    const request = ListRunsRequest.fromPartial({ sweepId, pageSize: 1_000 });
    const page = await listRuns(request, patient);
    const pageBytes = ListRunsResponse.encode(page).finish().length;
    const bytes = ListRunsRequest.encode(request).finish();
    // Without refusals, each connection and all of them together would exceed their limits.
    expect(CALL_COUNT * pageBytes).toBeGreaterThan(16 * MIB);
    expect(CONNECTION_COUNT * 16 * MIB).toBeGreaterThan(64 * MIB);
    const before = coordinator.residentBytes;
    const progress = { isOver: false };
    const clients = await Promise.all(
      Array.from({ length: CONNECTION_COUNT }, () => UnreadClient.open(coordinator.address)),
    );
    const hostile = Promise.all(
      clients.map((client) =>
        Promise.all(Array.from({ length: CALL_COUNT }, () => client.call('/graft.v1.SweepService/ListRuns', bytes))),
      ),
    ).finally(() => (progress.isOver = true));
    let answered = 0;
    let highest = before;
    while (!progress.isOver) {
      await getSweep({ sweepId }, patient);
      answered += 1;
      highest = Math.max(highest, coordinator.residentBytes);
    }
    const found = await hostile;
    const held = found.map((statuses) => statuses.filter((code) => code === null).length * pageBytes);
    console.log(
      JSON.stringify({ pageBytes, held, answered, mb: [before, highest].map((one) => Math.round(one / 1e6)) }),
    );
    const refusals = new Set(found.flat().filter((code) => code !== null));
    expect([...refusals]).toEqual([status.RESOURCE_EXHAUSTED]);
    expect(Math.max(...held)).toBeLessThanOrEqual(16 * MIB);
    expect(held.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(64 * MIB);
    expect(highest - before).toBeLessThan(64 * MIB + 150e6);
    expect(answered).toBeGreaterThan(5);
    // Unread answers are released with their connection.
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    expect(await listRuns(request, patient)).toEqual(page);
  },
);
