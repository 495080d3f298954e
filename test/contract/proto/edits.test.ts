import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registry } from '../../support/filled-messages.ts';
import { contractList } from './contract-list.ts';
import { ADDING_EDITS, BREAKING_EDITS, RESERVED_BEFORE } from './proto-edits.ts';
import type { ProtoEdit } from './proto-edits.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const proto = join(root, 'proto');
const folder = mkdtempSync(join(tmpdir(), 'graft-proto-edits-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The executable itself; the one in `.bin` starts a Node process for it. */
const program = join(root, 'node_modules', '@bufbuild', `buf-${platform()}-${arch()}`, 'bin', 'buf');
const buf = existsSync(program) ? program : join(root, 'node_modules', '.bin', 'buf');

interface Outcome {
  readonly code: number;
  readonly stdout: string;
}

async function runBuf(args: readonly string[], cwd: string): Promise<Outcome> {
  try {
    return { code: 0, stdout: (await promisify(execFile)(buf, [...args], { cwd })).stdout };
  } catch (error) {
    const { code, stdout } = error as { readonly code: number; readonly stdout: string };
    return { code, stdout };
  }
}

/** Returns a copy of `proto/` with an edit applied. */
function edited(name: string, edit: ProtoEdit): string {
  const files = new Map(
    ['graft', 'google'].flatMap((part) =>
      readdirSync(join(proto, part), { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.proto'))
        .map((path): [string, string] => [`${part}/${path}`, readFileSync(join(proto, part, path), 'utf8')]),
    ),
  );
  files.set('buf.yaml', readFileSync(join(proto, 'buf.yaml'), 'utf8'));
  edit(files);
  const copy = join(folder, name.replaceAll(/\W+/g, '-'));
  for (const [path, text] of files) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), text);
  }
  return copy;
}

/**
 * Returns the rules of `buf breaking` that an edit violates, `build` if it does not compile, `list` if the golden list
 * differs.
 */
async function checksThatFail(copy: string, against: string): Promise<readonly string[]> {
  if ((await runBuf(['build', '-o', 'edited.binpb'], copy)).code !== 0) return ['build'];
  const { stdout } = await runBuf(['breaking', '--error-format', 'json', '--against', against], copy);
  const rules = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { readonly type: string }).type);
  const list = contractList(registryOf(join(copy, 'edited.binpb')));
  const isListed = list.join('\n') === contractList(registry).join('\n');
  return [...new Set(rules), ...(isListed ? [] : ['list'])];
}

function registryOf(path: string): ReturnType<typeof createFileRegistry> {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
}

describe('the contract', { timeout: 60_000 }, () => {
  it('has the files, services, methods and messages that the golden list has', async () => {
    // Update with `vitest -u` after an addition, for review. Nothing may be removed.
    await expect(`${contractList(registry).join('\n')}\n`).toMatchFileSnapshot('contract-list.txt');
  });

  // The baseline of the next release; `wire.test.ts` compares with that of the last one.
  const promised = join(folder, 'promised.binpb');
  beforeAll(async () => {
    expect(await runBuf(['build', '--exclude-path', 'grpc', '-o', promised], proto)).toMatchObject({ code: 0 });
  });
  const table: string[] = [];
  afterAll(() => console.log(['Edits of the protos and the checks that fail:', ...table.toSorted()].join('\n')));

  async function failing(name: string, copy: string, against: string = promised): Promise<readonly string[]> {
    const checks = await checksThatFail(copy, against);
    table.push(`  ${name.padEnd(36)} ${checks.join(', ')}`);
    return checks;
  }

  it.concurrent.each(BREAKING_EDITS)('is guarded against: %s', async (name, caughtBy, edit) => {
    expect(await failing(name, edited(name, edit))).toEqual(expect.arrayContaining([...caughtBy]));
  });

  it.concurrent('is guarded against: drop a reservation', async () => {
    const before = edited('reserved before', RESERVED_BEFORE);
    await runBuf(['build', '-o', 'before.binpb'], before);
    const name = 'drop what is reserved';
    const checks = await failing(
      name,
      edited(name, () => undefined),
      join(before, 'before.binpb'),
    );
    expect(checks).toEqual(['RESERVED_MESSAGE_NO_DELETE']);
  });

  it.concurrent.each(ADDING_EDITS)('accepts the addition: %s', async (name, caughtBy, edit) => {
    expect(await failing(name, edited(name, edit))).toEqual(caughtBy);
  });
});
