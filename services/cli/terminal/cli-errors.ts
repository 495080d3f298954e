import { toldViolations } from '../../core/errors.ts';
import type { FieldViolation } from '../../core/sweep/sweep-spec.ts';
import { EXIT } from './exit-codes.ts';

/** An error with an exit code and a message that a person can act on; no stack trace is shown. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Arguments that can't be used. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';

  constructor(message: string) {
    super(message, EXIT.usage);
  }
}

/** A sweep file or request with mistakes: each on its own line, `path: text`. */
export class ViolationsError extends CliError {
  override readonly name = 'ViolationsError';
  readonly violations: readonly FieldViolation[];

  /** @param count of all mistakes, those that are not listed among them */
  constructor(subject: string, violations: readonly FieldViolation[], count = violations.length) {
    const told = toldViolations(violations);
    const lines = told.map(({ field, description }) => (field === '' ? description : `${field}: ${description}`));
    const more = count > told.length ? [`… and ${count - told.length} more; fix these first.`] : [];
    super(
      `${subject} has ${count === 1 ? 'one mistake' : `${count} mistakes`}:\n${[...lines, ...more].join('\n')}`,
      EXIT.usage,
    );
    this.violations = told;
  }
}

/** Something that was named does not exist. */
export class MissingError extends CliError {
  override readonly name = 'MissingError';

  constructor(message: string) {
    super(message, EXIT.notFound);
  }
}

/** Ctrl-C. */
export class InterruptedError extends CliError {
  override readonly name = 'InterruptedError';

  constructor(message = '') {
    super(message, EXIT.interrupted);
  }
}
