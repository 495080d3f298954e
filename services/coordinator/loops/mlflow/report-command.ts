import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeProgram } from '../../../platform/lifecycle/node-program.ts';

const MAX_MS = 120_000;
const MAX_ERROR_LENGTH = 2000;

/**
 * Returns the page that `graft report` writes. The command runs in a process of its own, so that the coordinator loads neither its
 * packages nor keeps its memory.
 *
 * @param address `host:port` of a coordinator
 * @throws Error with the end of the command's standard error
 */
export async function makeReport(address: string, sweepId: string, signal: AbortSignal): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-report-'));
  try {
    const file = join(folder, 'report.html');
    await runCli(['--coordinator', address, 'report', sweepId, '--out', file], signal);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runCli(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { script, execArgv } = nodeProgram('cli/main');
  await new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, [...execArgv, script, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      signal: AbortSignal.any([signal, AbortSignal.timeout(MAX_MS)]),
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-MAX_ERROR_LENGTH);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`graft report ended with ${String(code)}: ${errors.trim()}`));
    });
  });
}
