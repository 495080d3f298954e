import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createOnce } from '../../../../services/platform/files/create-once.ts';

const open = vi.hoisted(() => ({ failsWith: '' }));

/** A file system without hard links. */
vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  const fail = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  return {
    ...original,
    linkSync: () => fail('EPERM'),
    openSync: (...args: Parameters<typeof original.openSync>) =>
      open.failsWith === '' ? original.openSync(...args) : fail(open.failsWith),
  };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-create-once-'));
  open.failsWith = '';
});
afterEach(() => rmSync(folder, { recursive: true }));

it('creates a file once without hard links', () => {
  const path = join(folder, 'lock');
  expect(createOnce(path, 'first')).toBe(true);
  expect(createOnce(path, 'second')).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('first');
  expect(readdirSync(folder)).toEqual(['lock']);
});

it("leaves another's file where it is when no file can be opened", () => {
  const path = join(folder, 'lock');
  writeFileSync(path, 'of another');
  open.failsWith = 'EMFILE';
  expect(() => createOnce(path, 'mine')).toThrow('EMFILE');
  expect(readFileSync(path, 'utf8')).toBe('of another');
});
