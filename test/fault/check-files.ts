import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type pg from 'pg';
import { STORE_MARKER_URI } from '../../services/core/artifact-names.ts';
import type { Finding } from './checker.ts';

interface Expectation {
  readonly uri: string;
  readonly sha256: string | null;
  readonly owner: string;
  readonly state: string;
}

interface StoredFile {
  readonly uri: string;
  readonly ageMs: number;
}

/** Compares the artifact store with the tables, in both directions. */
export async function checkFiles(
  client: pg.Client,
  artifactsDir: string,
  graceMs: number,
  damagedUris: ReadonlySet<string> = new Set(),
): Promise<Finding[]> {
  const { rows } = await client.query<Expectation>(
    `SELECT uri, sha256, 'checkpoint ' || checkpoint_id AS owner, state FROM checkpoints
      UNION ALL
     SELECT uri, sha256, 'feature set ' || feature_key, state FROM feature_sets WHERE state = 'COMPUTED'
      UNION ALL
     SELECT manifest_uri, NULL, 'data set ' || dataset_id, 'STORED' FROM datasets`,
  );
  const files = await listFiles(artifactsDir);
  return [await findBroken(rows, artifactsDir, damagedUris), findUnowned(rows, files, graceMs)];
}

async function findBroken(
  rows: readonly Expectation[],
  artifactsDir: string,
  damagedUris: ReadonlySet<string>,
): Promise<Finding> {
  const stored = rows.filter(({ state }) => state === 'STORED' || state === 'COMPUTED');
  const needed = stored.filter(({ uri }) => !damagedUris.has(uri));
  const violations: string[] = [];
  for (const { uri, sha256, owner } of needed) {
    const bytes = await readFile(join(artifactsDir, uri)).catch(() => null);
    if (bytes === null) violations.push(`${owner}: its file ${uri} is missing`);
    else if (sha256 !== null && createHash('sha256').update(bytes).digest('hex') !== sha256) {
      violations.push(`${owner}: its file ${uri} has another sha256 than its row`);
    }
  }
  return {
    invariant: 'every stored checkpoint, feature set and manifest has its file, with the sha256 of its row',
    violations,
    evidence: `${needed.length} files read, ${stored.length - needed.length} skipped that were damaged on purpose`,
  };
}

function findUnowned(rows: readonly Expectation[], files: readonly StoredFile[], graceMs: number): Finding {
  const owned = new Set(rows.filter(({ state }) => state !== 'DELETED').map(({ uri }) => uri));
  const deleted = new Map(rows.filter(({ state }) => state === 'DELETED').map(({ uri, owner }) => [uri, owner]));
  const unowned = files.filter(({ uri, ageMs }) => !owned.has(uri) && uri !== STORE_MARKER_URI && ageMs > graceMs);
  const marked = rows.filter(({ state }) => state === 'DELETING');
  return {
    invariant: `no file is without a row (older than ${graceMs / 1_000} s), and none waits for its removal`,
    violations: [
      ...unowned.map(({ uri, ageMs }) => {
        const age = `${(ageMs / 1_000).toFixed(1)} s old`;
        const owner = deleted.get(uri);
        if (uri.endsWith('.tmp')) return `${uri}: a temporary file, ${age}`;
        return owner === undefined ? `${uri}: no row, ${age}` : `${uri}: its row (${owner}) is DELETED, ${age}`;
      }),
      ...marked.map(({ owner, uri }) => `${owner} (${uri}) is still DELETING`),
    ],
    evidence: `${files.length} files`,
  };
}

async function listFiles(folder: string): Promise<StoredFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: StoredFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const info = await stat(path).catch(() => null);
    if (info === null) continue;
    files.push({ uri: relative(folder, path).split(sep).join('/'), ageMs: Date.now() - info.mtimeMs });
  }
  return files;
}
