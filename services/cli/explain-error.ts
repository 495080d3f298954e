import { GraftError, InvalidRequestError } from '../core/errors.ts';
import type { ErrorReason } from '../core/errors.ts';
import { ConfigError } from '../platform/config/read-config.ts';
import { RpcError, isUnavailable } from '../platform/rpc/errors.ts';
import { CliError, ViolationsError } from './terminal/cli-errors.ts';
import { EXIT } from './terminal/exit-codes.ts';
import { GRAFT } from './terminal/program-name.ts';

/** Returns the message for an error, empty if there is nothing to print, and the exit code. */
export function explainError(
  error: unknown,
  interrupted: boolean,
): { readonly exitCode: number; readonly message: string } {
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
  // The message of a named error suffices; anything else is a bug, which needs its stack.
  const isNamed = error instanceof Error && error.name !== 'Error' && !(error instanceof TypeError);
  return {
    exitCode: EXIT.failure,
    message: error instanceof Error ? (isNamed ? error.message : (error.stack ?? error.message)) : String(error),
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
