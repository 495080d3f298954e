import { ConfigError } from '../platform/config/read-config.ts';
import { armFailpoints } from '../platform/lifecycle/failpoint.ts';
import { EXIT_CONFIG, runProcess } from '../platform/lifecycle/run-process.ts';
import { createLogger } from '../platform/telemetry/logger.ts';
import { COORDINATOR_HELP, coordinatorGraceMs, describeConfig, readCoordinatorConfig } from './config.ts';
import type { CoordinatorConfig } from './config.ts';
import { startCoordinator } from './coordinator.ts';

function readConfigOrExplain(): CoordinatorConfig | null {
  try {
    armFailpoints(process.env);
    return readCoordinatorConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return null;
  }
}

async function serve(config: CoordinatorConfig): Promise<void> {
  const log = createLogger('coordinator', config.logLevel);
  await runProcess({ log, graceMs: coordinatorGraceMs(config) }, async (signal) => {
    await using coordinator = await startCoordinator(config, log);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await coordinator.stop();
  });
}

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.filter((arg) => !['--help', '-h', '--check-config'].includes(arg));
  if (unknown.length > 0) {
    process.stderr.write(`Unknown argument: ${unknown.join(' ')}\n\n${COORDINATOR_HELP}`);
    process.exitCode = 2;
    return;
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(COORDINATOR_HELP);
    return;
  }
  const config = readConfigOrExplain();
  if (config === null) process.exitCode = EXIT_CONFIG;
  else if (args.includes('--check-config'))
    process.stdout.write(`${JSON.stringify(describeConfig(config), null, 2)}\n`);
  else await serve(config);
}

await main(process.argv.slice(2));
