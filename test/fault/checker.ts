import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { checkFiles } from './check-files.ts';
import { RECORD_CHECKS } from './record-checks.ts';
import { SEARCH_CHECKS } from './search-checks.ts';

/** The result of checking an invariant. */
export interface Finding {
  readonly invariant: string;
  /** Violations; empty if the invariant holds. At most `SHOWN` are listed, followed by their number. */
  readonly violations: readonly string[];
  /** Amount of checked data, which reveals an "ok" over no data. */
  readonly evidence: string;
}

export interface CheckOptions {
  readonly databaseUrl: string;
  readonly artifactsDir: string;
  /** ID of the undisturbed sweep. */
  readonly referenceSweepId: string;
  /** IDs of disturbed sweeps of the same spec. */
  readonly sweepIds: readonly string[];
  /** IDs of disturbed sweeps that depend on timing, so that they are not compared. */
  readonly uncomparedSweepIds?: readonly string[];
  /** Age in milliseconds below which a file needs no row. */
  readonly fileGraceMs: number;
  /** Files that were damaged on purpose, which is not detected unless they are read again. */
  readonly damagedUris?: ReadonlySet<string>;
}

/** Maximum number of listed violations of an invariant. */
const SHOWN = 10;

/** Checks the database and the artifact store after all work has ended. */
export async function checkRecord(options: CheckOptions): Promise<readonly Finding[]> {
  const client = new pg.Client({ connectionString: options.databaseUrl });
  await client.connect();
  try {
    const findings: Finding[] = [];
    for (const { invariant, evidence, unit, violations } of [...RECORD_CHECKS, ...SEARCH_CHECKS]) {
      const { referenceSweepId, sweepIds, uncomparedSweepIds = [] } = options;
      const parameters = [referenceSweepId, sweepIds, [...sweepIds, ...uncomparedSweepIds]];
      const scope = `WITH scope AS (SELECT $1::text AS reference, $2::text[] AS sweeps, $3::text[] AS "every")`;
      const counted = await client.query<{ count: string }>(
        `${scope} SELECT count(*) AS count ${evidence}`,
        parameters,
      );
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

/** Checks as `checkRecord` does, until nothing is violated or the time is over: unneeded files are removed after a sweep's end. */
export async function settledFindings(options: CheckOptions, timeoutMs: number): Promise<readonly Finding[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const findings = await checkRecord(options);
    if (findings.every(({ violations }) => violations.length === 0) || performance.now() > deadline) return findings;
    await sleep(1_000);
  }
}

/** Formats the findings as lines that begin with `ok` or `VIOLATED`. */
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
