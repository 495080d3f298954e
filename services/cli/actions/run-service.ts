import { spawn } from 'node:child_process';
import { nodeCommand } from '../cluster/node-command.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { settingsOf } from '../context/connection-options.ts';
import { CliError } from '../terminal/cli-errors.ts';

/**
 * Runs a service in the foreground until it ends.
 *
 * @param rest arguments for the service
 * @throws CliError with the service's exit code unless that is 0.
 */
export async function runService(
  context: CliContext,
  options: GlobalOptions,
  service: 'coordinator' | 'trainer' | 'migrate',
  rest: readonly string[],
): Promise<void> {
  const [program, ...args] = nodeCommand(`${service}/main`);
  // --coordinator is an option of all commands, which a trainer takes as well.
  const { coordinator } = options;
  const own = service === 'trainer' && coordinator !== undefined ? ['--coordinator', coordinator] : [];
  const child = spawn(program, [...args, ...own, ...rest], {
    env: { ...context.env, ...settingsOf(options) },
    stdio: 'inherit',
  });
  context.signals.onSecond = (): void => {
    child.kill('SIGKILL');
  };
  // Ctrl-C in a terminal reaches the child as well; only signals that were sent to this process alone are forwarded.
  const onAbort = (): void => {
    const reason = context.signal.reason as Error;
    if (!reason.message.includes('SIGINT') || !process.stdin.isTTY) child.kill('SIGTERM');
  };
  if (context.signal.aborted) onAbort();
  else context.signal.addEventListener('abort', onAbort, { once: true });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => resolve(exitCode ?? (signal === 'SIGKILL' ? 137 : 143)));
  });
  context.signal.removeEventListener('abort', onAbort);
  if (code !== 0) throw new CliError('', code);
}
