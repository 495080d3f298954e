import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimTrainerIdentity } from '../../../../services/trainer/lease/trainer-identity.ts';

// Larger than any process number of Linux, so that it names a process that is gone.
const DEAD = 2 ** 22 + 1;
let stateDir = '';

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'graft-identity-'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

describe('claimTrainerIdentity', () => {
  it('stays over restarts, also after a kill', () => {
    const first = claimTrainerIdentity(stateDir, 'host', DEAD);
    expect(first.trainerId).toMatch(/^host-[0-9a-f]{8}$/);
    const afterKill = claimTrainerIdentity(stateDir, 'host', process.pid);
    expect(afterKill.trainerId).toBe(first.trainerId);
    // The same process number again: a restarted container.
    expect(claimTrainerIdentity(stateDir, 'host', process.pid).trainerId).toBe(first.trainerId);
    afterKill.release();
    expect(claimTrainerIdentity(stateDir, 'host', DEAD).trainerId).toBe(first.trainerId);
  });

  it('is not shared by two living trainers', () => {
    const first = claimTrainerIdentity(stateDir, 'host', process.ppid);
    const second = claimTrainerIdentity(stateDir, 'host', process.pid);
    expect(second.trainerId).not.toBe(first.trainerId);
  });
});
