import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MigrationError } from './migration-error.ts';

export interface Migration {
  /** Name of its folder, for example `20261124000000_init`; the order of names is the order of migrations. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hexadecimal, as Prisma computes it. */
  readonly checksum: string;
}

/** Reads `<directory>/<name>/migration.sql`, in order. @throws MigrationError MISSING */
export function readMigrations(directory: string): Migration[] {
  if (!existsSync(directory)) {
    throw new MigrationError(
      'MISSING',
      [],
      `There is no folder ${directory}. Install Graft again, with prisma/migrations.`,
    );
  }
  const names = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return names.map((name) => {
    const file = join(directory, name, 'migration.sql');
    if (!existsSync(file)) {
      throw new MigrationError('MISSING', [name], `There is no file ${file}. Put it back, or remove its folder.`);
    }
    const sql = readFileSync(file, 'utf8');
    return { name, sql, checksum: checksumOf(sql) };
  });
}

/** Whether a checksum in the database is that of the file, whatever ends its lines (Prisma does the same). */
export function hasChecksum(migration: Migration, checksum: string): boolean {
  const lf = migration.sql.replaceAll('\r\n', '\n');
  return [migration.checksum, checksumOf(lf), checksumOf(lf.replaceAll('\n', '\r\n'))].includes(checksum);
}

function checksumOf(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}

/** `prisma/migrations` beside the sources; from a build in `dist/` it lies one level further up. */
export function findMigrationsDirectory(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'prisma', 'migrations');
    if (existsSync(join(candidate, 'migration_lock.toml'))) return candidate;
    if (folder === dirname(folder)) {
      throw new MigrationError(
        'MISSING',
        [],
        `No folder prisma/migrations above ${here}. Install Graft again, with it.`,
      );
    }
  }
}
