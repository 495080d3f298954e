/**
 * Code of a failed migration:
 * - CHANGED: an applied migration now has another content.
 * - NEWER: the database has migrations that this version of Graft doesn't know.
 * - UNFINISHED: another tool started a migration and did not finish it.
 * - FAILED: a migration's SQL was refused, and the migration was rolled back.
 * - LOCKED: another process has been migrating for too long.
 * - MISSING: the folder of migrations can't be read.
 */
export type MigrationErrorCode = 'CHANGED' | 'NEWER' | 'UNFINISHED' | 'FAILED' | 'LOCKED' | 'MISSING';

/** Thrown when the database can't be migrated to the version of this code. The message states the remedy. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
  readonly code: MigrationErrorCode;
  /** Names of the affected migrations. */
  readonly migrations: readonly string[];

  constructor(code: MigrationErrorCode, migrations: readonly string[], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.migrations = migrations;
  }
}
