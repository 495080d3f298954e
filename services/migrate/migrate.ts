import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ConfigError, readSettings } from '../platform/config/read-config.ts';
import { settingsHelp } from '../platform/config/setting.ts';
import { DATABASE_SETTINGS } from '../platform/config/shared-settings.ts';
import { applyMigrations, readMigrationStatus } from '../platform/db/apply-migrations.ts';
import { isUnavailable } from '../platform/db/database-error.ts';
import { DatabaseSetupError } from '../platform/db/database-setup-error.ts';

/** Exit codes. They agree with those of `graft`; 3 means that migrations are pending. */
export const EXIT = { ok: 0, failure: 1, usage: 2, pending: 3, unreachable: 5 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Output {
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
}

const HELP = `Brings the database of DATABASE_URL to the version of this code.

Usage: migrate [--check | --wait SECONDS] [--help]

  --check         change nothing; report whether the database is up to date
  --wait SECONDS  change nothing; wait until another process has brought the database up to date, for SECONDS at most
  --help          print this help

Settings are environment variables (default):
${settingsHelp(DATABASE_SETTINGS)}
Any number of these processes may run at once: they wait for each other.

Exit codes:
  0   up to date
  1   the database can't be brought to this version (the message says why and what to do)
  2   wrong arguments, or DATABASE_URL is missing or malformed
  3   with --check or --wait: migrations are pending
  5   the database can't be reached`;

const POLL_MS = 1_000;

/** Runs the command. Prints errors instead of throwing them. */
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
  try {
    const { DATABASE_URL: url } = readSettings(DATABASE_SETTINGS, env);
    if (options.waitMs !== null) return await waitUntilApplied(url, options.waitMs, out);
    return options.check ? await check(url, out) : await apply(url, out);
  } catch (problem) {
    error(problem instanceof Error ? problem.message : String(problem));
    if (problem instanceof ConfigError || problem instanceof DatabaseSetupError) return EXIT.usage;
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

/** Waits until the migrations are applied. A database that can't be reached yet is waited for as well. */
async function waitUntilApplied(url: string, waitMs: number, out: Output['out']): Promise<ExitCode> {
  const endAt = performance.now() + waitMs;
  for (let said = ''; ;) {
    const isLast = performance.now() + POLL_MS > endAt;
    try {
      const { pending } = await readMigrationStatus(url);
      if (pending.length === 0 || isLast) return await check(url, out);
      const waitingFor = `Waiting for: ${pending.join(', ')}.`;
      if (said !== waitingFor) out(waitingFor);
      said = waitingFor;
    } catch (problem) {
      if (isLast || !isUnavailable(problem)) throw problem;
      if (said === '') out('Waiting for the database.');
      said = 'database';
    }
    await sleep(POLL_MS);
  }
}

interface Options {
  readonly check: boolean;
  /** Milliseconds; null: does not wait. */
  readonly waitMs: number | null;
  readonly help: boolean;
}

function readOptions(args: readonly string[]): Options | string {
  try {
    const { check, wait, help } = parseArgs({
      args: [...args],
      options: {
        check: { type: 'boolean', default: false },
        wait: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
    if (wait === undefined) return { check, waitMs: null, help };
    if (!/^\d{1,6}$/.test(wait))
      return `--wait: must be an integer number of seconds, with at most 6 digits. Received: "${wait}".`;
    return check ? '--check and --wait exclude each other.' : { check, waitMs: Number(wait) * 1_000, help };
  } catch (problem) {
    return problem instanceof Error ? problem.message : String(problem);
  }
}
