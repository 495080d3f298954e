import { ConfigError } from '../platform/config/read-config.ts';
import { EXIT_CONFIG, runProcess } from '../platform/lifecycle/run-process.ts';
import { createLogger } from '../platform/telemetry/logger.ts';
import { TRAINER_HELP, readTrainerConfig } from './config.ts';
import type { TrainerConfig } from './config.ts';
import { runTrainer } from './trainer.ts';

const GRACE_MS = 30_000;

function readConfigOrExplain(): TrainerConfig | null {
  try {
    return readTrainerConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return null;
  }
}

async function main(): Promise<void> {
  if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(TRAINER_HELP);
    return;
  }
  const config = readConfigOrExplain();
  if (config === null) {
    process.exitCode = EXIT_CONFIG;
    return;
  }
  const log = createLogger('trainer', config.logLevel);
  await runProcess({ log, graceMs: GRACE_MS }, (signal) => runTrainer({ config, log }, signal));
}

await main();
