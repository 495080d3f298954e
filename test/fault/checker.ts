import pg from 'pg';
import { checkFiles } from './check-files.ts';
import { RECORD_CHECKS } from './record-checks.ts';

/** One sentence that must hold, and what was found. */
export interface Finding {
  readonly invariant: string;
  /** Empty: it holds. At most `SHOWN` are listed, the last one then says how many there are. */
  readonly violations: readonly string[];
  /** How much was looked at, so that "ok" over nothing is seen. */
  readonly evidence: string;
}

export interface CheckOptions {
  readonly databaseUrl: string;
  readonly artifactsDir: string;
  /** The undisturbed sweep. */
  readonly referenceSweepId: string;
  /** Sweeps of the same spec that were disturbed. */
  readonly sweepIds: readonly string[];
  /** Files younger than this, milliseconds, need not have a row yet. */
  readonly fileGraceMs: number;
  /** Files that were damaged on purpose: nobody need have noticed where nothing was read again. */
  readonly damagedUris?: ReadonlySet<string>;
}

/** Violations of one invariant that are listed. */
const SHOWN = 10;

/** Reads the database and the artifact store after everything has come to rest. */
export async function checkRecord(options: CheckOptions): Promise<readonly Finding[]> {
  const client = new pg.Client({ connectionString: options.databaseUrl });
  await client.connect();
  try {
    const findings: Finding[] = [];
    for (const { invariant, looked, unit, violations } of RECORD_CHECKS) {
      const parameters = [options.referenceSweepId, options.sweepIds];
      const scope = 'WITH scope AS (SELECT $1::text AS reference, $2::text[] AS sweeps)';
      const counted = await client.query<{ count: string }>(`${scope} SELECT count(*) AS count ${looked}`, parameters);
      const found = await client.query<{ text: string }>(`${scope} ${violations}`, parameters);
      findings.push({
        invariant,
        violations: shorten(found.rows.map(({ text }) => text)),
        evidence: `${counted.rows[0]?.count ?? '0'} ${unit}`,
      });
    }
    const files = await checkFiles(client, options.artifactsDir, options.fileGraceMs, options.damagedUris);
    return [...findings, ...files.map((finding) => ({ ...finding, violations: shorten(finding.violations) }))];
  } finally {
    await client.end();
  }
}

/** The findings as lines, `ok` or `VIOLATED` first. */
export function describeFindings(findings: readonly Finding[]): string {
  return findings
    .flatMap(({ invariant, violations, evidence }) => [
      `${violations.length === 0 ? 'ok      ' : 'VIOLATED'} ${invariant} (${evidence})`,
      ...violations.map((violation) => `           ${violation}`),
    ])
    .join('\n');
}

function shorten(violations: readonly string[]): readonly string[] {
  if (violations.length <= SHOWN) return violations;
  return [...violations.slice(0, SHOWN), `and ${violations.length - SHOWN} more, ${violations.length} in all`];
}
