import { fileURLToPath } from 'node:url';
import { runProcess } from '../../../services/platform/lifecycle/run-process.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { readTrainerConfig } from '../../../services/trainer/config.ts';
import { typescriptLoader } from '../../../services/platform/lifecycle/node-program.ts';
import { runTrainer } from '../../../services/trainer/trainer.ts';

/** Runs `services/trainer/main.ts` with the scripted worker in place of TensorFlow's. */
const log = createLogger('trainer', 'info');
const config = readTrainerConfig(process.env);
const script = fileURLToPath(new URL('./scripted-worker.ts', import.meta.url));
const workerProgram = { script, execArgv: typescriptLoader() };

await runProcess({ log, graceMs: 30_000 }, (signal) => runTrainer({ config, log, workerProgram }, signal));
