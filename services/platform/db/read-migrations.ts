import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MigrationError } from './migration-error.ts';

export interface Migration {
  /** Name of the folder, for example `20261124000000_init`; migrations are ordered by name. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hexadecimal, as Prisma computes it. */
  readonly checksum: string;
}

/**
 * Reads `<directory>/<name>/migration.sql`, in order. Throws {MigrationError} with code MISSING when one can't be read.
 */
export function readMigrations(directory: string): Migration[] {
  if (!existsSync(directory)) {
    throw new MigrationError(
      'MISSING',
      [],
      `There is no folder ${directory}. Reinstall Graft, with prisma/migrations.`,
    );
  }
  const names = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return names.map((name) => {
    const file = join(directory, name, 'migration.sql');
    if (!existsSync(file)) {
      throw new MigrationError('MISSING', [name], `There is no file ${file}. Restore it, or remove its folder.`);
    }
    const sql = readFileSync(file, 'utf8');
    return { name, sql, checksum: checksumOf(sql) };
  });
}

/** Returns whether a checksum in the database matches the file, regardless of line endings (as Prisma does). */
export function hasChecksum(migration: Migration, checksum: string): boolean {
  const lf = migration.sql.replaceAll('\r\n', '\n');
  return [migration.checksum, checksumOf(lf), checksumOf(lf.replaceAll('\n', '\r\n'))].includes(checksum);
}

function checksumOf(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}

/** Returns the path of `prisma/migrations` beside the sources; from a build in `dist/` it is one level further up. */
export function findMigrationsDirectory(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'prisma', 'migrations');
    if (existsSync(join(candidate, 'migration_lock.toml'))) return candidate;
    if (folder === dirname(folder)) {
      throw new MigrationError('MISSING', [], `No folder prisma/migrations above ${here}. Reinstall Graft with it.`);
    }
  }
}
