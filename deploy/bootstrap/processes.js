import { spawn } from 'node:child_process';

const KEPT_OUTPUT = 20_000;

/**
 * Runs a program to its end without a shell and returns the end of its output.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>} code is -1 if the program does not exist or a signal ended it;
 *   `stderr` then says which
 */
export function runProgram(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout = tail(stdout + text)));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr = tail(stderr + text)));
    child.on('error', (error) => resolve({ code: -1, stdout, stderr: `${stderr}${error.message}` }));
    child.on('close', (code, signal) => {
      const end = signal === null ? '' : `\nended by ${signal}`;
      resolve({ code: code ?? -1, stdout, stderr: stderr + end });
    });
  });
}

/** @param {string} text */
function tail(text) {
  return text.length > KEPT_OUTPUT ? text.slice(-KEPT_OUTPUT) : text;
}

/**
 * Returns the last lines of a failed tool's output, for an error message.
 *
 * @param {{ stdout: string, stderr: string }} result
 */
export function lastLines(result, count = 12) {
  return `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-count).join('\n');
}

/**
 * Runs a program in the foreground, on this terminal, and forwards termination signals to it. Ctrl-C reaches it from the terminal
 * directly (same process group), so SIGINT is only ignored here until the program has ended.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>} the exit code; 128 + the number of the signal that ended the program
 */
export function runForeground(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: 'inherit' });
    const interactive = process.stdin.isTTY === true;
    const onInterrupt = () => void (interactive || child.kill('SIGINT'));
    const onTerminate = () => void child.kill('SIGTERM');
    const onHangUp = () => void child.kill('SIGHUP');
    process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate).on('SIGHUP', onHangUp);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate).off('SIGHUP', onHangUp);
      resolve(code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0));
    });
  });
}

/** @type {Readonly<Record<string, number>>} */
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15, SIGABRT: 6 };
