import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileOnce } from '../../../deploy/bootstrap/compile.js';
import { repositoryRoot } from '../../../deploy/bootstrap/paths.js';

let root: string;

/** A checkout of two files, with the packages of this one. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'graft-compile-'));
  for (const folder of ['services/cli', 'proto/gen', 'prisma/client', 'prisma/migrations', 'node_modules'])
    mkdirSync(join(root, folder), { recursive: true });
  symlinkSync(join(repositoryRoot, 'node_modules', 'yaml'), join(root, 'node_modules', 'yaml'));
  for (const path of ['proto/gen/descriptor.binpb', 'proto/gen/grpc.binpb'])
    cpSync(join(repositoryRoot, path), join(root, path));
  write('package.json', '{ "type": "module" }');
  write('package-lock.json', '{}');
  write('services/name.ts', 'export const NAME: string = new URL(import.meta.url).pathname;\n');
  write(
    'services/cli/main.ts',
    `import { parse } from 'yaml';\nimport { NAME } from '../name.ts';\nconsole.log(parse('a: 1'), NAME);\n`,
  );
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  writeFileSync(join(root, path), content);
}

function run(folder: string): string {
  return execFileSync(process.execPath, [join(folder, 'services/cli/main.js')], { encoding: 'utf8' });
}

describe('compileOnce', () => {
  it('builds modules that find packages and know their own path', async () => {
    const folder = await compileOnce(root);
    expect(run(folder)).toBe(`{ a: 1 } ${join(folder, 'services/name.js')}\n`);
  });

  it('recompiles when a source was changed, added or removed, else returns the same folder', async () => {
    const folders = [await compileOnce(root), await compileOnce(root)];
    write('services/name.ts', `export const NAME: string = 'changed';\n`);
    folders.push(await compileOnce(root));
    expect(run(folders[2]!)).toBe('{ a: 1 } changed\n');
    write('services/more.ts', 'export {};\n');
    folders.push(await compileOnce(root));
    rmSync(join(root, 'services/more.ts'));
    folders.push(await compileOnce(root));
    expect(folders[1]).toBe(folders[0]);
    expect(new Set(folders.slice(1)).size).toBe(3);
    expect(folders[4]).toBe(folders[2]);
  });

  it('copies a changed file below a copied folder', async () => {
    mkdirSync(join(root, 'prisma/migrations/1_init'));
    write('prisma/migrations/1_init/migration.sql', 'SELECT 1');
    await compileOnce(root);
    write('prisma/migrations/1_init/migration.sql', 'SELECT 22');
    const folder = await compileOnce(root);
    expect(readFileSync(join(folder, 'prisma/migrations/1_init/migration.sql'), 'utf8')).toBe('SELECT 22');
  });

  it('keeps three outputs, from which processes may still load, and removes older ones', async () => {
    for (let version = 1; version <= 5; version += 1) {
      write('services/name.ts', `export const NAME: string = '${'v'.repeat(version)}';\n`);
      await compileOnce(root);
    }
    expect(readdirSync(join(root, 'node_modules/.graft-compiled'))).toHaveLength(3);
  });

  it('returns one complete output to two concurrent calls', async () => {
    const [one, other] = await Promise.all([compileOnce(root), compileOnce(root)]);
    expect(one).toBe(other);
    expect(readdirSync(join(root, 'node_modules/.graft-compiled'))).toHaveLength(1);
    expect(run(one)).toContain('{ a: 1 }');
  });

  it('leaves nothing behind after a syntax error', async () => {
    write('services/name.ts', 'export const = 1;\n');
    await expect(compileOnce(root)).rejects.toThrow(/services\/name\.ts:1:13/);
    expect(readdirSync(join(root, 'node_modules/.graft-compiled'))).toEqual([]);
  });
});
