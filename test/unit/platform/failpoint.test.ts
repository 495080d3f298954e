import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../services/platform/config/read-config.ts';
import { armFailpoints, failpoint } from '../../../services/platform/lifecycle/failpoint.ts';
import { typescriptLoader } from '../../../services/platform/lifecycle/node-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'graft-failpoint-'));
const MODULE = fileURLToPath(new URL('../../../services/platform/lifecycle/failpoint.ts', import.meta.url));
/** A program that reaches two points repeatedly and prints how often. */
const PROGRAM = join(folder, 'program.ts');
writeFileSync(
  PROGRAM,
  `import { writeSync } from 'node:fs';
   import { armFailpoints, failpoint } from '${MODULE}';
   armFailpoints(process.env);
   for (let turn = 1; turn <= 5; turn += 1) {
     failpoint('metrics.sent');
     failpoint('task.completed');
     writeSync(1, \`\${turn} \`);
   }`,
);
afterAll(() => {
  armFailpoints({});
  rmSync(folder, { recursive: true, force: true });
});

function runWith(failpoints: string, program = PROGRAM): { readonly signal: string | null; readonly turns: string } {
  const { signal, stdout } = spawnSync(process.execPath, [...typescriptLoader(), program], {
    env: { ...process.env, GRAFT_FAILPOINTS: failpoints, GRAFT_FAILPOINTS_ENABLED: '1' },
    encoding: 'utf8',
  });
  return { signal, turns: stdout };
}

describe('failpoints', () => {
  it('are off unless they are turned on', () => {
    armFailpoints({});
    expect(() => failpoint('metrics.sent')).not.toThrow();
    expect(runWith('')).toEqual({ signal: null, turns: '1 2 3 4 5 ' });
  });

  it('kill the process when it reaches the point for the n-th time', () => {
    expect(runWith('task.completed=kill@3')).toEqual({ signal: 'SIGKILL', turns: '1 2 ' });
    expect(runWith('lease.received=kill,metrics.sent=kill')).toEqual({ signal: 'SIGKILL', turns: '' });
  });

  it('are configured by a file, so that a test can change them while a process runs', () => {
    const file = join(folder, 'armed');
    writeFileSync(file, 'metrics.sent=kill@5');
    expect(runWith(`@${file}`)).toEqual({ signal: 'SIGKILL', turns: '1 2 3 4 ' });
    writeFileSync(file, '');
    expect(runWith(`@${file}`).signal).toBeNull();
  });

  it('are armed again by a value that differs in its number alone', () => {
    const file = join(folder, 'numbered');
    const program = join(folder, 'numbered.ts');
    writeFileSync(file, 'metrics.sent=kill@2#1');
    writeFileSync(
      program,
      `import { writeFileSync, writeSync } from 'node:fs';
       import { armFailpoints, failpoint } from '${MODULE}';
       armFailpoints(process.env);
       failpoint('metrics.sent');
       writeFileSync('${file}', 'metrics.sent=kill@2#2');
       failpoint('metrics.sent');
       writeSync(1, 'two passes ');
       failpoint('metrics.sent');
       writeSync(1, 'three passes ');`,
    );
    expect(runWith(`@${file}`, program)).toEqual({ signal: 'SIGKILL', turns: 'two passes ' });
  });

  it('are refused when they were not enabled or are misspelt', () => {
    expect(() => armFailpoints({ GRAFT_FAILPOINTS: 'metrics.sent=kill@1' })).toThrow('GRAFT_FAILPOINTS_ENABLED=1');
    for (const text of ['metrics.send=kill@1', 'metrics.sent=explode', 'metrics.sent=kill@0', 'metrics.sent']) {
      const arm = (): void => armFailpoints({ GRAFT_FAILPOINTS: text, GRAFT_FAILPOINTS_ENABLED: '1' });
      expect(arm).toThrow(ConfigError);
      expect(arm).toThrow(`Received: "${text}"`);
    }
  });
});
