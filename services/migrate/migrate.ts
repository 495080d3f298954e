import { parseArgs } from 'node:util';
import { applyMigrations, readMigrationStatus } from '../platform/db/apply-migrations.ts';
import { isUnavailable } from '../platform/db/database-error.ts';

/** The numbers of `graft`, where it has the same; 3 is "not there yet". */
export const EXIT = { ok: 0, failure: 1, usage: 2, pending: 3, unreachable: 5 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Output {
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
}

const HELP = `Brings the database of DATABASE_URL to the version of this code.

Usage: migrate [--check] [--help]

  --check   change nothing; say whether the database is up to date
  --help    this

Any number of these may run at once: they wait for each other.

Exit codes:
  0   up to date
  1   the database can't be brought to this version (the message says why and what to do)
  2   wrong arguments, or DATABASE_URL is not set
  3   with --check: migrations are pending
  5   the database can't be reached`;

/** Runs the command; prints instead of throwing. */
export async function migrate(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { out, error }: Output,
): Promise<ExitCode> {
  const options = readOptions(args);
  if (typeof options === 'string') {
    error(`${options}\n\n${HELP}`);
    return EXIT.usage;
  }
  if (options.help) {
    out(HELP);
    return EXIT.ok;
  }
  const url = env['DATABASE_URL'] ?? '';
  if (url === '') {
    error('DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/database.');
    return EXIT.usage;
  }
  try {
    return options.check ? await check(url, out) : await apply(url, out);
  } catch (problem) {
    error(problem instanceof Error ? problem.message : String(problem));
    return isUnavailable(problem) ? EXIT.unreachable : EXIT.failure;
  }
}

async function check(url: string, out: Output['out']): Promise<ExitCode> {
  const { applied, pending } = await readMigrationStatus(url);
  if (pending.length === 0) {
    out(`Up to date: ${applied.at(-1) ?? 'no migrations'}.`);
    return EXIT.ok;
  }
  out(`Pending: ${pending.join(', ')}.`);
  return EXIT.pending;
}

async function apply(url: string, out: Output['out']): Promise<ExitCode> {
  const applied = await applyMigrations(url, {
    onApplied: (name, seconds) => out(`Applied ${name} (${seconds.toFixed(1)} s).`),
    onNotice: (message) => out(message),
  });
  if (applied.length === 0) out('Up to date; nothing to apply.');
  return EXIT.ok;
}

function readOptions(args: readonly string[]): { readonly check: boolean; readonly help: boolean } | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { check: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    });
    return values;
  } catch (problem) {
    return problem instanceof Error ? problem.message : String(problem);
  }
}
