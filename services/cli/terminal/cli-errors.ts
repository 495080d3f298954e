import { listedViolations } from '../../core/errors.ts';
import type { FieldViolation } from '../../core/sweep/sweep-spec.ts';
import { EXIT } from './exit-codes.ts';

/** An error with an exit code and a message that a user can act on. It is printed without a stack trace. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Invalid arguments of a command. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';

  constructor(message: string) {
    super(message, EXIT.usage);
  }
}

/** A sweep file or request with mistakes, printed as one `path: description` a line. */
export class ViolationsError extends CliError {
  override readonly name = 'ViolationsError';
  readonly violations: readonly FieldViolation[];

  /** @param count number of mistakes, including those that `violations` leaves out. */
  constructor(subject: string, violations: readonly FieldViolation[], count = violations.length) {
    const listed = listedViolations(violations);
    const lines = listed.map(({ field, description }) => (field === '' ? description : `${field}: ${description}`));
    const more = count > listed.length ? [`… and ${count - listed.length} more; fix these first.`] : [];
    super(
      `${subject} has ${count === 1 ? 'one mistake' : `${count} mistakes`}:\n${[...lines, ...more].join('\n')}`,
      EXIT.usage,
    );
    this.violations = listed;
  }
}

/** A sweep, file or other named thing that does not exist. */
export class MissingError extends CliError {
  override readonly name = 'MissingError';

  constructor(message: string) {
    super(message, EXIT.notFound);
  }
}

/** An interruption by Ctrl-C, SIGTERM or SIGHUP. */
export class InterruptedError extends CliError {
  override readonly name = 'InterruptedError';

  constructor(message = '') {
    super(message, EXIT.interrupted);
  }
}
