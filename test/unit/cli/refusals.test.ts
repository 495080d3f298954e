import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../services/cli/cli.ts';
import type { GraftClient } from '../../../services/cli/client/client-port.ts';
import { explainError } from '../../../services/cli/explain-error.ts';
import {
  DatabaseUnavailableError,
  IllegalStateError,
  PermissionDeniedError,
  RateLimitedError,
  RequestIdReusedError,
  UnauthenticatedError,
} from '../../../services/core/errors.ts';
import { DatabaseSetupError } from '../../../services/platform/db/database-setup-error.ts';
import { EmbeddedPostgresError } from '../../../services/platform/db/embedded-postgres/embedded-postgres-error.ts';
import { MigrationError } from '../../../services/platform/db/migration-error.ts';
import { describeConnection } from '../../../services/platform/rpc/connection-problem.ts';
import { RpcError } from '../../../services/platform/rpc/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'graft-refusals-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'a-folder'));
writeFileSync(join(folder, 'empty.yaml'), '');
writeFileSync(join(folder, 'list.yaml'), '- a\n- b\n');
writeFileSync(
  join(folder, 'binary.yaml'),
  Uint8Array.from({ length: 2_000 }, (_, index) => (index * 7) % 256),
);
writeFileSync(join(folder, 'huge.yaml'), Buffer.alloc(17 * 2 ** 20, 'a'));
writeFileSync(join(folder, 'good.yaml'), 'dataset: { path: /data/pets }\n');

/** Marks of an error that was not explained: a stack trace, an errno, a note of grpc-js. */
const RAW = /\n\s+at |\bE(?:NOENT|ISDIR|NOTDIR|ACCES|PERM|NOSPC|CONN\w+)\b|Resolution note|\[object/;

async function run(
  args: readonly string[],
  { answers = {}, stdin = '' }: { readonly answers?: Partial<GraftClient>; readonly stdin?: string } = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(args, {
    env: {},
    cwd: folder,
    paths: { cacheDir: join(folder, 'cache'), stateDir: join(folder, 'state') },
    stdin: (async function* () {
      yield await Promise.resolve(stdin);
    })(),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    signal: new AbortController().signal,
    signals: { onSecond: null },
    openClient: () => ({ address: 'there:1', close: () => undefined, ...answers }) as GraftClient,
  });
  return { code, out, err };
}

describe('a refusal has its own exit code and one sentence', () => {
  const failing = (error: Error): Partial<GraftClient> => ({
    resolveHandle: (_kind, id) => Promise.resolve({ outcome: 'FOUND', id, problem: '', candidates: [] }),
    pauseSweep: () => Promise.reject(error),
  });

  it.each<[string, Error, number, string]>([
    ['a token without the role', new PermissionDeniedError('PauseSweep', 'viewer', 'submitter'), 6, 'submitter'],
    ['no token', new UnauthenticatedError('The call has no token.'), 6, 'GRAFT_TOKEN'],
    ['a state that forbids it', new IllegalStateError('sweep s', 'FAILED', 'pause', ['ACTIVE']), 7, 'FAILED'],
    ['a request id of another request', new RequestIdReusedError('once'), 7, "'once'"],
    ['a coordinator without its database', new DatabaseUnavailableError('refused'), 5, 'The database'],
    ['a busy coordinator', new RateLimitedError('Too many calls.', 500), 5, 'Try again in 0.5 s'],
    ['no coordinator', new RpcError('UNAVAILABLE', 'it sleeps'), 5, 'npx graft up'],
    ['an older coordinator', new RpcError('UNIMPLEMENTED', 'unknown method'), 7, 'graft --version'],
    ['an invalid call', new RpcError('INVALID_ARGUMENT', 'odd'), 2, 'odd'],
  ])('%s', async (_name, error, expected, said) => {
    const { code, err } = await run(['sweep', 'pause', 's'], { answers: failing(error) });
    expect(code).toBe(expected);
    expect(err).toContain(said);
    expect(err).not.toMatch(RAW);
  });

  it.each<[string, string, number, string]>([
    [
      'missing',
      'nowhere.yaml',
      3,
      'nowhere.yaml does not exist. Give the path of a sweep file, or - for standard input.',
    ],
    ['a folder', 'a-folder', 2, 'a-folder: is a folder. Name the sweep file in it.'],
    ['below a file', 'good.yaml/x.yaml', 2, 'good.yaml/x.yaml leads through a file as if it were a folder.'],
    ['empty', 'empty.yaml', 2, 'empty.yaml has one mistake:\ndataset.path: is missing.'],
    ['a list', 'list.yaml', 2, 'list.yaml has one mistake:\nmust be a mapping of keys to values; received ["a","b"].'],
    ['binary', 'binary.yaml', 2, 'binary.yaml: is encoded as UTF-16 or is a binary file.'],
    ['huge', 'huge.yaml', 2, 'huge.yaml: has more than 16777216 bytes'],
  ])('a sweep file that is %s', async (_name, file, expected, said) => {
    const { code, err } = await run(['sweep', 'plan', file]);
    expect(err).toContain(said);
    expect(code).toBe(expected);
    expect(err).not.toMatch(RAW);
  });

  it('a sweep file from standard input, with its mistakes', async () => {
    const { code, err } = await run(['sweep', 'plan', '-'], { stdin: 'dataset: { pth: x }\n' });
    expect(code).toBe(2);
    expect(err).toContain("standard input has 2 mistakes:\ndataset.pth: there is no such key. Did you mean 'path'?");
  });

  it('a file of the account without access, and a full disk', () => {
    const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', path: '/data/x' });
    expect(explainError(denied, false)).toMatchObject({ exitCode: 6 });
    expect(explainError(denied, false).message).toMatch(/^\/data\/x may not be accessed by this account \(.+\)/);
    const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC', path: '/data/x' });
    expect(explainError(full, false)).toEqual({
      exitCode: 5,
      message: '/data/x is on a full disk; free some space.',
    });
  });

  it('an output that is a folder, or below a file, before the coordinator is asked', async () => {
    const toFolder = await run(['checkpoint', 'download', 'c1', '-o', 'a-folder']);
    expect(toFolder.code).toBe(2);
    expect(toFolder.err).toBe(`--out: ${folder}/a-folder is a folder. Name a file in it.\n`);
    const belowFile = await run(['checkpoint', 'download', 'c1', '-o', 'good.yaml/x/y']);
    expect(belowFile.code).toBe(2);
    expect(belowFile.err).toContain("good.yaml/x/y can't be written: ");
    expect(belowFile.err).not.toMatch(RAW);
  });

  it.each([['download'], ['export']])('checkpoint %s to standard output', async (command) => {
    const { code, err } = await run(['checkpoint', command, 'c1', '-o', '-']);
    expect([code, err]).toEqual([2, "--out: the result is binary and can't be printed. Name a file.\n"]);
  });

  it('a folder to standard output, and JSON of a report that is printed itself', async () => {
    const fetched = await run(['dataset', 'fetch', 'cats-vs-dogs', '-o', '-']);
    expect([fetched.code, fetched.err]).toEqual([2, '--out: the data set is a folder. Name one.\n']);
    const report = await run(['report', 's', '-o', '-', '--output', 'json']);
    expect([report.code, report.out]).toEqual([2, '']);
    expect(report.err).toContain('Leave out --output json, or name a file.');
  });

  it.each([
    [new DatabaseSetupError('sslmode is odd'), 2],
    [new EmbeddedPostgresError('initdb failed.', 'See below.'), 5],
    [new MigrationError('NEWER', [], 'The database is newer.'), 7],
    [new MigrationError('LOCKED', [], 'Another process migrates.'), 7],
  ])('what is wrong with the database is not a surprise: %s', (error, exitCode) => {
    expect(explainError(error, false)).toEqual({ exitCode, message: error.message });
  });

  it('a fault of Graft is 1, with its stack', () => {
    const { exitCode, message } = explainError(new TypeError('x is not a function'), false);
    expect(exitCode).toBe(1);
    expect(message).toMatch(/^Unforeseen error; please report it:\nTypeError: x is not a function\n {4}at /);
  });
});

describe('a missing connection is described without noise', () => {
  it.each([
    [
      'No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:5. Resolution note: ',
      '10.0.0.1:5 refuses the connection: no process listens there',
    ],
    [
      'Name resolution failed for target dns:nohost:50051',
      "the name in nohost:50051 can't be resolved: check its spelling",
    ],
    [
      'No connection established. Last error: Error: 80AC:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:x.c:350:\n. Resolution note: ',
      'the address answers, but without TLS',
    ],
    [
      'No connection established. Last error: self-signed certificate in certificate chain. Resolution note: ',
      'TLS: the authority of its certificate is not trusted; name that authority with --tls-ca (GRAFT_TLS_CA)',
    ],
    ['something else happened.', 'something else happened'],
  ])('%s', (details, expected) => {
    expect(describeConnection(details)).toBe(expected);
  });
});

describe('the launcher', () => {
  const LAUNCHER = new URL('../../../services/cli/graft.js', import.meta.url).pathname;

  it('prints version, commit and Node', async () => {
    const { code, out } = await run(['--version']);
    expect(code).toBe(0);
    expect(out).toMatch(/^graft \d+\.\d+\.\d+ \((?:commit [0-9a-f]{10}\+?, )?Node \d+\.\d+\.\d+, \w+ \w+\)\n$/);
  });

  it('reports a full disk behind standard output, and accepts a closed pipe', () => {
    const full = spawnSync('sh', ['-c', `"${process.execPath}" "${LAUNCHER}" schema > /dev/full`], {
      encoding: 'utf8',
    });
    expect(full.status).toBe(5);
    expect(full.stderr).toBe("Standard output can't be written: the disk is full. The result is incomplete.\n");
    const piped = execFileSync(
      'bash',
      ['-c', `"${process.execPath}" "${LAUNCHER}" schema 2>&1 | head -n 1; echo "\${PIPESTATUS[0]}"`],
      { encoding: 'utf8' },
    );
    expect(piped).toBe('{\n0\n');
  });
});
