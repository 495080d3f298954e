import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { nodeProgram } from '../../../services/platform/lifecycle/node-program.ts';
import { freePort } from '../../../services/platform/net/free-port.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import type { Harness, SweepClient } from './harness.ts';

/**
 * Starts another coordinator on the same database, and expects that it is killed at a point of what it is used for.
 *
 * @param point name of a failpoint
 */
export async function withKilledCoordinator(
  harness: Pick<Harness, 'databaseUrl' | 'artifacts'>,
  point: string,
  use: (sweeps: SweepClient['call'], address: string) => Promise<unknown>,
): Promise<void> {
  const address = `127.0.0.1:${await freePort()}`;
  const { script, execArgv } = nodeProgram('coordinator/main');
  const child: ChildProcess = spawn(process.execPath, [...execArgv, script], {
    env: {
      ...process.env,
      DATABASE_URL: harness.databaseUrl,
      GRAFT_ARTIFACTS_DIR: harness.artifacts.root,
      GRAFT_COORDINATOR_LISTEN: address,
      GRAFT_LOG_LEVEL: 'silent',
      GRAFT_FAILPOINTS: `${point}=kill@1`,
      GRAFT_FAILPOINTS_ENABLED: '1',
    },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const client = createClient(SweepServiceService, { addresses: [address], retry: NO_RETRY });
  const isServing = (): Promise<boolean> =>
    client.call.listSweeps({ pageSize: 1, pageToken: '' }).then(
      () => true,
      () => false,
    );
  try {
    await expect.poll(isServing, { timeout: 60_000 }).toBe(true);
    await use(client.call, address);
    expect((await exited)[1]).toBe('SIGKILL');
  } finally {
    client.close();
    child.kill('SIGKILL');
  }
}
