import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimTrainerIdentity, trainerSecretOf } from '../../../../services/trainer/lease/trainer-identity.ts';

// Larger than any process ID of Linux, so no process has it.
const DEAD = 2 ** 22 + 1;
let stateDir = '';

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'graft-identity-'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

describe('claimTrainerIdentity', () => {
  it('is stable over restarts, even after a kill', () => {
    const first = claimTrainerIdentity(stateDir, 'host', DEAD);
    expect(first.trainerId).toMatch(/^host-[0-9a-f]{8}$/);
    const afterKill = claimTrainerIdentity(stateDir, 'host', process.pid);
    expect(afterKill.trainerId).toBe(first.trainerId);
    // The same process ID: a restarted container.
    const { pid } = process;
    writeFileSync(join(stateDir, 'trainers', '0.lock'), JSON.stringify({ pid, startTime: '1' }));
    const afterRestart = claimTrainerIdentity(stateDir, 'host', pid);
    expect(afterRestart.trainerId).toBe(first.trainerId);
    afterRestart.release();
    expect(claimTrainerIdentity(stateDir, 'host', DEAD).trainerId).toBe(first.trainerId);
  });

  it('is not shared by two living trainers', () => {
    const first = claimTrainerIdentity(stateDir, 'host', process.ppid);
    const second = claimTrainerIdentity(stateDir, 'host', process.pid);
    expect(second.trainerId).not.toBe(first.trainerId);
  });
});

describe('an identity of an earlier version, which stored a bare process ID', () => {
  const held = (pid: number): void => writeFileSync(join(stateDir, 'trainers', '0.pid'), String(pid));

  it('is not claimed while that process lives', () => {
    const first = claimTrainerIdentity(stateDir, 'host', DEAD);
    held(process.ppid);
    expect(claimTrainerIdentity(stateDir, 'host', process.pid).trainerId).not.toBe(first.trainerId);
  });

  it('is claimed after that process has ended, whose file is removed', () => {
    const first = claimTrainerIdentity(stateDir, 'host', DEAD);
    held(DEAD);
    expect(claimTrainerIdentity(stateDir, 'host', process.pid).trainerId).toBe(first.trainerId);
    expect(readdirSync(join(stateDir, 'trainers'))).not.toContain('0.pid');
  });
});

describe('trainerSecretOf', () => {
  const file = (): string => join(stateDir, 'trainers', 'gpu-1.secret');

  it('is 32 random bytes in a file that only this user may read, and is stable over restarts', () => {
    const secret = trainerSecretOf(stateDir, 'gpu-1');
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    expect(readFileSync(file(), 'utf8')).toBe(secret);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(stateDir, 'trainers'))).toEqual(['gpu-1.secret']);
    expect(trainerSecretOf(stateDir, 'gpu-1')).toBe(secret);
    expect(trainerSecretOf(stateDir, 'gpu-2')).not.toBe(secret);
  });

  it('belongs to the identity that is claimed', () => {
    const { trainerId, trainerSecret } = claimTrainerIdentity(stateDir, 'host', DEAD);
    expect(trainerSecretOf(stateDir, trainerId)).toBe(trainerSecret);
    expect(claimTrainerIdentity(stateDir, 'host', process.pid)).toMatchObject({ trainerId, trainerSecret });
  });

  it.each([
    ['empty', ''],
    ['cut short', 'a'.repeat(42)],
    ['overwritten with something else', '\0'.repeat(43)],
  ])(
    'that is %s is not replaced, because the coordinator knows the old one; the error names the remedy',
    (_what, content) => {
      trainerSecretOf(stateDir, 'gpu-1');
      writeFileSync(file(), content);
      expect(() => trainerSecretOf(stateDir, 'gpu-1')).toThrow(
        `${file()} is damaged: it must contain the 43 characters of this trainer's secret. Restore it, or remove it and run ` +
          '`graft trainers forget gpu-1` as an administrator.',
      );
      expect(readFileSync(file(), 'utf8')).toBe(content);
    },
  );

  it('may end with the newline of an editor', () => {
    const secret = trainerSecretOf(stateDir, 'gpu-1');
    writeFileSync(file(), `${secret}\n`);
    expect(trainerSecretOf(stateDir, 'gpu-1')).toBe(secret);
  });

  it('is the same for two processes that start at once', { timeout: 30_000 }, async () => {
    const module = new URL('../../../../services/trainer/lease/trainer-identity.ts', import.meta.url).href;
    // Both wait for a signal, so that the start of Node does not order them.
    const script = `
      import { trainerSecretOf } from ${JSON.stringify(module)};
      process.stdout.write('ready ');
      process.stdin.once('data', () => {
        const secrets = Array.from({ length: 50 }, (_, i) => trainerSecretOf(${JSON.stringify(stateDir)}, 'gpu-' + i));
        process.stdout.write(secrets.join(' '));
        process.stdin.destroy();
      });`;
    const children = [0, 1].map(() =>
      spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
    const said = children.map(({ stdout }) => text(stdout));
    await Promise.all(children.map(async ({ stdout }) => new Promise((resolve) => stdout.once('data', resolve))));
    for (const { stdin } of children) stdin.write('go');
    const [one, other] = await Promise.all(said);
    expect(one?.split(' ')).toHaveLength(51);
    expect(other).toBe(one);
    expect(readdirSync(join(stateDir, 'trainers')).toSorted()).toEqual(
      Array.from({ length: 50 }, (_, index) => `gpu-${index}.secret`).toSorted(),
    );
  });
});
