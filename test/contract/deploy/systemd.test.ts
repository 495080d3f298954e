import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { coordinatorGraceMs, readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { EXIT_CONFIG } from '../../../services/platform/lifecycle/run-process.ts';
import { readTrainerConfig, trainerGraceMs } from '../../../services/trainer/config.ts';
import { runCommand } from '../../support/python-venv.ts';
import { DEPLOY } from './support/kustomize.ts';

const FOLDER = join(DEPLOY, 'systemd');
const ROOT = join(DEPLOY, '..');
const UNITS = readdirSync(FOLDER).filter((name) => name.endsWith('.service'));

/** Returns a reader of a unit's settings by section and name; repeated settings have all their values. */
function readUnit(name: string): (section: string, key: string) => readonly string[] {
  const values = new Map<string, string[]>();
  let section = '';
  for (const line of readFileSync(join(FOLDER, name), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const header = /^\[(\w+)\]$/.exec(line)?.[1];
    if (header !== undefined) section = header;
    else {
      const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (key === '') throw new Error(`${name}: not a setting: ${line}`);
      values.set(`${section}.${key}`, [...(values.get(`${section}.${key}`) ?? []), value]);
    }
  }
  return (wantedSection, key) => values.get(`${wantedSection}.${key}`) ?? [];
}

function readEnvironment(name: string): Readonly<Record<string, string>> {
  const lines = readFileSync(join(FOLDER, name), 'utf8').split('\n');
  return Object.fromEntries(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

describe.each(UNITS)('%s', (name) => {
  const unit = readUnit(name);
  const service = name.replace(/^graft-(\w+)\.service$/, '$1');

  it('starts existing commands', { timeout: 120_000 }, async () => {
    const commands = [...unit('Service', 'ExecStartPre'), ...unit('Service', 'ExecStart')];
    expect(commands.at(-1)).toContain(` ${service}`);
    for (const command of commands) {
      const [node, launcher = '', ...args] = command.split(' ');
      expect(node).toBe('/usr/bin/node');
      const path = launcher.replace(/^\/opt\/graft\//, '');
      expect(existsSync(join(ROOT, path))).toBe(true);
      expect(await runCommand(process.execPath, [join(ROOT, path), ...args, '--help'])).toMatch(/Usage/);
    }
  });

  it('waits longer than an orderly end may take, and does not restart with unusable settings', () => {
    const file = unit('Service', 'EnvironmentFile')[0]?.replace('/etc/graft/', '') ?? '';
    const environment = readEnvironment(file);
    const graceMs =
      service === 'coordinator'
        ? coordinatorGraceMs(readCoordinatorConfig(environment))
        : trainerGraceMs(readTrainerConfig(environment));
    expect(1_000 * Number(unit('Service', 'TimeoutStopSec')[0])).toBeGreaterThan(graceMs);
    expect(unit('Service', 'RestartPreventExitStatus')).toEqual([String(EXIT_CONFIG)]);
    expect(unit('Service', 'KillMode')).toEqual(['mixed']);
  });

  it('may write only to the folders of its settings', () => {
    const file = `${service}.env`;
    const { GRAFT_STATE_DIR, GRAFT_CACHE_DIR, GRAFT_ARTIFACTS_DIR = '' } = readEnvironment(file);
    expect(unit('Service', 'ProtectSystem')).toEqual(['strict']);
    expect([
      `/var/lib/${unit('Service', 'StateDirectory')[0] ?? ''}`,
      `/var/cache/${unit('Service', 'CacheDirectory')[0] ?? ''}`,
    ]).toEqual([GRAFT_STATE_DIR, GRAFT_CACHE_DIR]);
    const writable = unit('Service', 'ReadWritePaths')[0]?.replace(/^-/, '') ?? '';
    expect(GRAFT_ARTIFACTS_DIR.startsWith(`${writable}/`)).toBe(true);
  });

  it.skipIf(!existsSync('/usr/bin/systemd-analyze'))('has no setting that systemd does not know', async () => {
    // It also reports that the program is missing, with exit code 1; only its findings about the unit count.
    const said = await runCommand('sh', ['-c', 'systemd-analyze verify "$1" 2>&1 || true', 'sh', join(FOLDER, name)]);
    expect(
      said.split('\n').filter((line) => /Unknown|Failed to parse|Invalid|bad-setting|ignoring/i.test(line)),
    ).toEqual([]);
  });
});
