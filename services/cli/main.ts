import process from 'node:process';
import { resolvePaths } from '../platform/paths.ts';
import { runCli } from './cli.ts';
import { createGraftClient } from './client/graft-client.ts';
import { CliSignals } from './signals.ts';

const signals = new CliSignals(process);
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  paths: resolvePaths(process.env),
  stdout: process.stdout,
  stderr: process.stderr,
  signal: signals.signal,
  signals,
  openClient: createGraftClient,
});
signals.close();
