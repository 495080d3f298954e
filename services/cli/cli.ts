import { Command, CommanderError, Option } from 'commander';
import { GraftError, InvalidRequestError } from '../core/errors.ts';
import type { ErrorReason } from '../core/errors.ts';
import { ConfigError } from '../platform/config/read-config.ts';
import { RpcError, isUnavailable } from '../platform/rpc/errors.ts';
import { CliError, ViolationsError } from './terminal/cli-errors.ts';
import { addCheckpointCommands } from './commands/checkpoint.ts';
import { addDatasetCommands } from './commands/dataset.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addLeaderboardCommand } from './commands/leaderboard.ts';
import { addMlflowCommands } from './commands/mlflow.ts';
import { addPredictCommand } from './commands/predict.ts';
import { addReportCommand } from './commands/report.ts';
import { addRunCommands } from './commands/run.ts';
import { addSchemaCommand } from './commands/schema.ts';
import { addServiceCommands } from './commands/service.ts';
import { addSweepCommands } from './commands/sweep.ts';
import { addTokenCommands } from './commands/token.ts';
import { addTrainersCommand } from './commands/trainers.ts';
import { addUpCommand } from './commands/up.ts';
import type { CliContext } from './context/cli-context.ts';
import { EXIT, EXIT_CODE_HELP } from './terminal/exit-codes.ts';
import { GRAFT } from './terminal/program-name.ts';
import { SafeStream } from './terminal/safe-stream.ts';

/** Runs one command and gives the exit code; nothing is thrown. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  const safe = { ...context, stdout: new SafeStream(context.stdout), stderr: new SafeStream(context.stderr) };
  try {
    await buildProgram(safe).parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    const { exitCode, message } = explainError(error, context.signal.aborted);
    if (message !== '') safe.stderr.write(`${message}\n`);
    return exitCode;
  }
}

/** All commands with their help. */
function buildProgram(context: CliContext): Command {
  const program = new Command('graft')
    .description('Sweeps of transfer-learning variants for image classifiers.')
    .option(
      '--coordinator <host:port>',
      'the coordinator; default: GRAFT_COORDINATOR, else the cluster that is up on this machine, else 127.0.0.1:50051',
    )
    .option(
      '--tls-ca <file>',
      'connect with TLS; PEM file of the authorities to trust, or `public` for well-known ones; default: GRAFT_TLS_CA',
    )
    .option('--token-file <file>', 'file with the token to send; default: GRAFT_TOKEN_FILE, or GRAFT_TOKEN itself')
    .option(
      '--insecure',
      'send the token without TLS, also to another machine; a coordinator: listen without TLS and tokens',
    )
    .addOption(
      new Option('--output <format>', 'text for people, or JSON for programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .addHelpText('after', EXIT_CODE_HELP)
    .showHelpAfterError('(see --help)');
  addUpCommand(program, context);
  addDemoCommand(program, context);
  addServiceCommands(program, context);
  addSweepCommands(program, context);
  addRunCommands(program, context);
  addLeaderboardCommand(program, context);
  addReportCommand(program, context);
  addCheckpointCommands(program, context);
  addPredictCommand(program, context);
  addDatasetCommands(program, context);
  addTrainersCommand(program, context);
  addTokenCommands(program, context);
  addMlflowCommands(program, context);
  addSchemaCommand(program, context);
  configure(program, context);
  return program;
}

/** Settings that commander does not hand down to commands that exist already. */
function configure(command: Command, context: CliContext): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => context.stdout.write(text),
    writeErr: (text) => context.stderr.write(text),
  });
  for (const child of command.commands) configure(child, context);
}

/** What a person is told about an error, and the exit code. */
function explainError(error: unknown, interrupted: boolean): { readonly exitCode: number; readonly message: string } {
  if (error instanceof CommanderError) {
    // Commander has written its text already.
    return { exitCode: error.exitCode === 0 ? EXIT.ok : EXIT.usage, message: '' };
  }
  if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message };
  if (interrupted) return { exitCode: EXIT.interrupted, message: '' };
  if (error instanceof ConfigError) return { exitCode: EXIT.usage, message: error.message };
  if (error instanceof InvalidRequestError) {
    return { exitCode: EXIT.usage, message: new ViolationsError('The request', error.violations, error.count).message };
  }
  if (isUnavailable(error) || (error instanceof RpcError && error.code === 'DEADLINE_EXCEEDED')) {
    return { exitCode: EXIT.unreachable, message: unreachable(error as Error) };
  }
  if (error instanceof GraftError) {
    return { exitCode: EXIT_OF_REASON[error.reason] ?? EXIT.failure, message: error.message };
  }
  // Errors of ours say enough by their message; a fault of ours needs its place.
  const isOurs = error instanceof Error && error.name !== 'Error' && !(error instanceof TypeError);
  return {
    exitCode: EXIT.failure,
    message: error instanceof Error ? (isOurs ? error.message : (error.stack ?? error.message)) : String(error),
  };
}

const EXIT_OF_REASON: Partial<Record<ErrorReason, number>> = {
  NOT_FOUND: EXIT.notFound,
  ARTIFACT_MISSING: EXIT.notFound,
  UNAUTHENTICATED: EXIT.refused,
  PERMISSION_DENIED: EXIT.refused,
};

function unreachable(error: Error): string {
  const details = error instanceof RpcError ? error.details : error.message;
  return (
    `The coordinator can't be reached: ${details}\n` +
    `Start one on this machine with \`${GRAFT} up\`, or name another with --coordinator host:port (or GRAFT_COORDINATOR).`
  );
}
