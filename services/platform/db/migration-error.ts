/**
 * - CHANGED: a migration that was applied has another content now.
 * - NEWER: the database has migrations that this version of Graft doesn't know.
 * - UNFINISHED: another tool began a migration and did not finish it.
 * - FAILED: a migration's SQL was refused; nothing of it is left.
 * - LOCKED: another process has been migrating for too long.
 * - MISSING: the folder of migrations can't be read.
 */
export type MigrationErrorCode = 'CHANGED' | 'NEWER' | 'UNFINISHED' | 'FAILED' | 'LOCKED' | 'MISSING';

/** The database can't be brought to the version of this code. The message says what to do. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
  readonly code: MigrationErrorCode;
  /** Names of the migrations concerned. */
  readonly migrations: readonly string[];

  constructor(code: MigrationErrorCode, migrations: readonly string[], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.migrations = migrations;
  }
}
