import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CliError, InterruptedError } from '../terminal/cli-errors.ts';
import { EXIT, EXIT_OF_FILE_PROBLEM } from '../terminal/exit-codes.ts';
import { nodeCommand } from '../cluster/node-command.ts';

/** A JSON line of `services/trainer/tool`, as its protocol file defines them. */
export type ToolEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

/**
 * Runs the trainer's tool process with one request and passes on its events. Its standard error (TensorFlow's start-up notes) is
 * printed only if it fails. When `onEvent` throws, the process is killed and its error passed on.
 *
 * @throws CliError with the tool's message and the exit code of its kind, or with its last output if it died.
 */
export async function runTool(
  request: unknown,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
  onEvent: (event: ToolEvent) => void,
): Promise<void> {
  const [program, ...args] = nodeCommand('trainer/tool/main');
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'], signal });
  let noise = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (noise = (noise + text).slice(-4_000)));
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, by) => resolve(by ?? String(code)));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(request));
  let failure: CliError | null = null;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as ToolEvent;
      if (event.type === 'failed') failure = failureOf(String(event['kind']), String(event['message']));
      else onEvent(event);
    }
  } catch (error) {
    child.kill('SIGKILL');
    // Unread output would keep its pipe open.
    child.stdout.resume();
    await ended;
    throw error;
  }
  const how = await ended;
  if (signal.aborted) throw new InterruptedError();
  if (failure !== null) throw failure;
  if (how !== '0') throw new CliError(`The process with TensorFlow ended (${how}). Its last output:\n${noise.trim()}`);
}

/** Exit codes of the tool's failures: its protocol has the kinds of file problems, and `internal`. */
const EXIT_OF_FAILURE: Readonly<Record<string, number>> = EXIT_OF_FILE_PROBLEM;

function failureOf(kind: string, message: string): CliError {
  return new CliError(message, EXIT_OF_FAILURE[kind] ?? EXIT.failure);
}
