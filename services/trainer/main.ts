import { parseArgs } from 'node:util';
import { ConfigError } from '../platform/config/read-config.ts';
import { armFailpoints } from '../platform/lifecycle/failpoint.ts';
import { EXIT_CONFIG, runProcess } from '../platform/lifecycle/run-process.ts';
import { createLogger } from '../platform/telemetry/logger.ts';
import { startTracing } from '../platform/telemetry/start-tracing.ts';
import { TRAINER_HELP, readTrainerConfig, trainerGraceMs } from './config.ts';
import type { TrainerConfig } from './config.ts';
import { runTrainer } from './trainer.ts';

interface Arguments {
  readonly coordinator?: string | undefined;
  readonly 'check-config'?: boolean | undefined;
  readonly help?: boolean | undefined;
}

function readArguments(args: readonly string[]): Arguments | null {
  try {
    const options = {
      coordinator: { type: 'string' },
      'check-config': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${TRAINER_HELP}`);
    return null;
  }
}

function readConfigOrExplain(env: Readonly<Record<string, string | undefined>>): TrainerConfig | null {
  try {
    armFailpoints(env);
    return readTrainerConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return null;
  }
}

async function main(args: readonly string[]): Promise<void> {
  const given = readArguments(args);
  if (given === null) {
    process.exitCode = 2;
    return;
  }
  if (given.help === true) {
    process.stdout.write(TRAINER_HELP);
    return;
  }
  const { coordinator = process.env['GRAFT_COORDINATOR'] } = given;
  const config = readConfigOrExplain({ ...process.env, GRAFT_COORDINATOR: coordinator });
  if (config === null) {
    process.exitCode = EXIT_CONFIG;
    return;
  }
  if (given['check-config'] === true) {
    process.stdout.write(`${JSON.stringify(config, null, 2)}\n`);
    return;
  }
  const log = createLogger('trainer', config.logLevel);
  const tracing = await startTracing({
    service: 'graft-trainer',
    version: config.version,
    env: process.env,
    warn: (message) => log.warn(message),
  });
  try {
    await runProcess({ log, graceMs: trainerGraceMs(config) }, (signal) => runTrainer({ config, log }, signal));
  } finally {
    await tracing.stop();
  }
}

await main(process.argv.slice(2));
