import { GraftError, InvalidRequestError } from '../core/errors.ts';
import type { ErrorReason } from '../core/errors.ts';
import { ConfigError } from '../platform/config/read-config.ts';
import { describeFileError, fileProblem } from '../platform/files/file-problem.ts';
import { RpcError } from '../platform/rpc/errors.ts';
import type { StatusCodeName } from '../platform/rpc/errors.ts';
import { CliError, ViolationsError } from './terminal/cli-errors.ts';
import { EXIT, EXIT_OF_FILE_PROBLEM } from './terminal/exit-codes.ts';
import { GRAFT } from './terminal/program-name.ts';

export interface Explanation {
  readonly exitCode: number;
  /** Empty if there is nothing to print. */
  readonly message: string;
}

/** Returns the message for an error and the exit code. Only an error that no user can cause has a stack trace. */
export function explainError(error: unknown, interrupted: boolean): Explanation {
  if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message };
  if (interrupted) return { exitCode: EXIT.interrupted, message: '' };
  if (error instanceof ConfigError) return { exitCode: EXIT.usage, message: error.message };
  if (error instanceof InvalidRequestError) {
    return { exitCode: EXIT.usage, message: new ViolationsError('The request', error.violations, error.count).message };
  }
  if (error instanceof GraftError) {
    return { exitCode: EXIT_OF_REASON[error.reason] ?? EXIT.failure, message: error.message };
  }
  if (error instanceof RpcError) return explainRpcError(error);
  return explainFileError(error) ?? explainOther(error);
}

const EXIT_OF_REASON: Partial<Record<ErrorReason, number>> = {
  NOT_FOUND: EXIT.notFound,
  ARTIFACT_MISSING: EXIT.notFound,
  UNAUTHENTICATED: EXIT.refused,
  PERMISSION_DENIED: EXIT.refused,
  ILLEGAL_STATE: EXIT.conflict,
  REQUEST_ID_REUSED: EXIT.conflict,
  VERSION_SKEW: EXIT.conflict,
  DATABASE_UNAVAILABLE: EXIT.unavailable,
  SHUTTING_DOWN: EXIT.unavailable,
  RATE_LIMITED: EXIT.unavailable,
};

const EXIT_OF_STATUS: Partial<Record<StatusCodeName, number>> = {
  INVALID_ARGUMENT: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  PERMISSION_DENIED: EXIT.refused,
  UNAUTHENTICATED: EXIT.refused,
  RESOURCE_EXHAUSTED: EXIT.unavailable,
};

function explainRpcError({ code, details }: RpcError): Explanation {
  switch (code) {
    case 'UNAVAILABLE':
    case 'DEADLINE_EXCEEDED':
      return {
        exitCode: EXIT.unavailable,
        message: `The coordinator can't be reached: ${details}.\n${remedy(details)}`,
      };
    case 'UNIMPLEMENTED':
      return {
        exitCode: EXIT.conflict,
        message:
          `The server does not know this call (${details}). Either the address is not that of a coordinator, or the ` +
          `coordinator is older than this graft: compare \`${GRAFT} --version\` with it.`,
      };
    default:
      return { exitCode: EXIT_OF_STATUS[code] ?? EXIT.failure, message: `The call failed (${code}): ${details}` };
  }
}

function remedy(details: string): string {
  const named = '--coordinator host:port (or GRAFT_COORDINATOR)';
  if (details.includes('without TLS')) return `Leave out --tls-ca and GRAFT_TLS_CA, or name another with ${named}.`;
  if (details.startsWith('TLS')) return `Check --tls-ca, and the name in ${named}.`;
  if (details.includes('closed at once')) {
    return `If the coordinator listens with TLS, give --tls-ca (or GRAFT_TLS_CA); else name another with ${named}.`;
  }
  return `Start one on this machine with \`${GRAFT} up\`, or name another with ${named}.`;
}

function explainFileError(error: unknown): Explanation | null {
  const problem = fileProblem(error);
  if (problem === null) return null;
  return { exitCode: EXIT_OF_FILE_PROBLEM[problem.kind], message: `${describeFileError(error)}.` };
}

/** Explains an error of another class. A named one has a message for people; any other is a fault of Graft, which needs its stack. */
function explainOther(error: unknown): Explanation {
  if (!(error instanceof Error)) return { exitCode: EXIT.failure, message: String(error) };
  const isNamed = !['Error', 'TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'].includes(error.name);
  if (isNamed) return { exitCode: EXIT_OF_NAME[error.name] ?? EXIT.failure, message: error.message };
  return { exitCode: EXIT.failure, message: `Unforeseen error; please report it:\n${error.stack ?? error.message}` };
}

/** Exit codes of errors whose classes belong to packages that most commands do not load. */
const EXIT_OF_NAME: Readonly<Record<string, number>> = {
  DatabaseSetupError: EXIT.usage,
  DownloadError: EXIT.unavailable,
  EmbeddedPostgresError: EXIT.unavailable,
  LockTimeoutError: EXIT.unavailable,
  MigrationError: EXIT.conflict,
  WeightsUnavailableError: EXIT.unavailable,
};
