import process from 'node:process';
import { readVersion } from '../platform/config/read-version.ts';
import { resolvePaths } from '../platform/paths.ts';
import { startTracing } from '../platform/telemetry/start-tracing.ts';
import { runCli } from './cli.ts';
import { CliSignals } from './terminal/signals.ts';

const signals = new CliSignals(process);
const tracing = await startTracing({
  service: 'graft-cli',
  version: readVersion(),
  env: process.env,
  warn: (message) => process.stderr.write(`${message}\n`),
});
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  paths: resolvePaths(process.env),
  stdout: process.stdout,
  stderr: process.stderr,
  signal: signals.signal,
  signals,
});
signals.close();
await tracing.stop();
