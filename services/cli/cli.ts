import { Command, CommanderError, Option } from 'commander';
import { addCheckpointCommands } from './commands/checkpoint.ts';
import { PREDICTION_OUTPUTS } from './commands/global-options.ts';
import { addAutoCommand, addClusterCommands } from './commands/cluster.ts';
import { addDatasetCommands } from './commands/dataset.ts';
import { HANDLE_HELP } from './commands/handles.ts';
import { addMlflowCommands } from './commands/mlflow.ts';
import { addResultCommands } from './commands/results.ts';
import { addRunCommands } from './commands/run.ts';
import { addSchemaCommand } from './commands/schema.ts';
import { addServiceCommands } from './commands/service.ts';
import { addSweepCommands } from './commands/sweep.ts';
import { addTokenCommands } from './commands/token.ts';
import { addTrainersCommand } from './commands/trainers.ts';
import type { CliContext } from './context/cli-context.ts';
import { EXIT, EXIT_CODE_HELP } from './terminal/exit-codes.ts';
import { SafeStream } from './terminal/safe-stream.ts';

/** Runs one command and returns its exit code; never throws. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  if (args[0] === '--version' || args[0] === '-V') {
    const { versionLine } = await import('./terminal/version-line.ts');
    context.stdout.write(`${versionLine(context.env)}\n`);
    return EXIT.ok;
  }
  const safe = { ...context, stdout: new SafeStream(context.stdout), stderr: new SafeStream(context.stderr) };
  try {
    await buildProgram(safe).parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed its message already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { explainError } = await import('./explain-error.ts');
    const { exitCode, message } = explainError(error, context.signal.aborted);
    if (message !== '') safe.stderr.write(`${message}\n`);
    return exitCode;
  }
}

/**
 * Builds all commands with their help. An action loads its module only when it runs, since loading every module costs each
 * command about half a second of processor time.
 */
function buildProgram(context: CliContext): Command {
  const program = new Command('graft')
    .description('Run sweeps of transfer-learning variants for image classifiers.')
    .option(
      '--coordinator <host:port>',
      'address of the coordinator (default: GRAFT_COORDINATOR, else the cluster on this machine, else 127.0.0.1:50051)',
    )
    .option(
      '--tls-ca <file>',
      'connect with TLS, trusting the authorities in this PEM file, or `public` for well-known ones (default: GRAFT_TLS_CA)',
    )
    .option('--token-file <file>', 'file with the access token (default: GRAFT_TOKEN_FILE, else GRAFT_TOKEN itself)')
    .option(
      '--insecure',
      'send the token without TLS, even to another machine; for a coordinator: listen without TLS and tokens',
    )
    .addOption(
      new Option(
        '--output <format>',
        'format of results: table for people, json for programs (default: table); csv and jsonl: graft predict only',
      ).choices(PREDICTION_OUTPUTS),
    )
    .addHelpText('after', HANDLE_HELP)
    .option('-V, --version', 'print the version, the commit if it is known, and the version of Node')
    .addHelpText('after', EXIT_CODE_HELP)
    .showHelpAfterError('(see --help)');
  addAutoCommand(program, context);
  addClusterCommands(program, context);
  addServiceCommands(program, context);
  addSweepCommands(program, context);
  addRunCommands(program, context);
  addResultCommands(program, context);
  addCheckpointCommands(program, context);
  addDatasetCommands(program, context);
  addTrainersCommand(program, context);
  addTokenCommands(program, context);
  addMlflowCommands(program, context);
  addSchemaCommand(program, context);
  configure(program, context);
  return program;
}

/** Applies settings that commander does not pass on to existing commands. */
function configure(command: Command, context: CliContext): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => context.stdout.write(text),
    writeErr: (text) => context.stderr.write(text),
  });
  for (const child of command.commands) configure(child, context);
}
