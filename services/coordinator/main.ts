import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { ConfigError } from '../platform/config/read-config.ts';
import { armFailpoints } from '../platform/lifecycle/failpoint.ts';
import { EXIT_CONFIG, runProcess } from '../platform/lifecycle/run-process.ts';
import { createLogger } from '../platform/telemetry/logger.ts';
import { startTracing } from '../platform/telemetry/start-tracing.ts';
import { readVersion } from '../platform/config/read-version.ts';
import { COORDINATOR_HELP, coordinatorGraceMs, describeConfig, readCoordinatorConfig } from './config.ts';
import type { CoordinatorConfig } from './config.ts';
import { createAdminToken } from './create-admin-token.ts';
import { startCoordinator } from './coordinator.ts';

interface Arguments {
  readonly 'check-config'?: boolean | undefined;
  readonly 'create-admin-token'?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly 'adopt-store'?: boolean | undefined;
  readonly help?: boolean | undefined;
}

function readArguments(args: readonly string[]): Arguments | null {
  try {
    const options = {
      'check-config': { type: 'boolean' },
      'create-admin-token': { type: 'string' },
      insecure: { type: 'boolean' },
      'adopt-store': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${COORDINATOR_HELP}`);
    return null;
  }
}

function readConfigOrExplain(env: Readonly<Record<string, string | undefined>>): CoordinatorConfig | null {
  try {
    armFailpoints(env);
    return readCoordinatorConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return null;
  }
}

async function serve(config: CoordinatorConfig): Promise<void> {
  // With this flag the heap grows by a third between two collections instead of up to fourfold: 271 MB instead of 451 MB with
  // 10,000 runs and 500 watchers, at the same throughput. V8 reads the flag at each collection.
  setFlagsFromString('--optimize-for-size');
  const log = createLogger('coordinator', config.logLevel);
  const tracing = await startTracing({
    service: 'graft-coordinator',
    version: readVersion(),
    env: process.env,
    warn: (message) => log.warn(message),
  });
  try {
    await runProcess({ log, graceMs: coordinatorGraceMs(config) }, async (signal) => {
      await using coordinator = await startCoordinator(config, log);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await coordinator.stop();
    });
  } finally {
    await tracing.stop();
  }
}

async function createFirstToken(config: CoordinatorConfig, name: string): Promise<void> {
  const log = createLogger('coordinator', config.logLevel);
  await runProcess({ log, graceMs: coordinatorGraceMs(config) }, async () => {
    const secret = await createAdminToken(config.databaseUrl, name, log);
    process.stdout.write(`${secret}\n`);
  });
}

async function main(args: readonly string[]): Promise<void> {
  const given = readArguments(args);
  if (given === null) {
    process.exitCode = 2;
    return;
  }
  if (given.help === true) {
    process.stdout.write(COORDINATOR_HELP);
    return;
  }
  const insecure = given.insecure === true ? { GRAFT_COORDINATOR_INSECURE: 'on' } : {};
  const adopting = given['adopt-store'] === true ? { GRAFT_COORDINATOR_ADOPT_STORE: 'on' } : {};
  const config = readConfigOrExplain({ ...process.env, ...insecure, ...adopting });
  if (config === null) process.exitCode = EXIT_CONFIG;
  else if (given['check-config'] === true) process.stdout.write(`${JSON.stringify(describeConfig(config), null, 2)}\n`);
  else if (given['create-admin-token'] !== undefined) await createFirstToken(config, given['create-admin-token']);
  else await serve(config);
}

await main(process.argv.slice(2));
