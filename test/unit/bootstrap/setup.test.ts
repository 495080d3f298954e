import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { missingPlatformPackages } from '../../../deploy/bootstrap/complete-lock-file.js';
import { buildFolder, digestOf, writeFileAtomically } from '../../../deploy/bootstrap/files.js';
import { repositoryRoot, resolvePaths as resolvePathsInJavaScript } from '../../../deploy/bootstrap/paths.js';
import { SetupError } from '../../../deploy/bootstrap/setup-error.js';
import { runSteps } from '../../../deploy/bootstrap/step.js';
import { checkNode, checkPlatform } from '../../../deploy/bootstrap/steps/check-machine.js';
import { holdsSamePackages } from '../../../deploy/bootstrap/steps/install-packages.js';
import { zig } from '../../../deploy/bootstrap/wheels.js';
import { resolvePaths } from '../../../services/platform/paths.ts';

const main = join(repositoryRoot, 'deploy', 'bootstrap', 'main.js');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-bootstrap-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** A folder with nothing but the programs named, for PATH. */
function pathWith(programs: Readonly<Record<string, string>>): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const [name, script] of Object.entries(programs)) writeFileSync(join(bin, name), script, { mode: 0o755 });
  return bin;
}

function setupErrorWith(message: string, remedy: string): unknown {
  return expect.objectContaining({
    message: expect.stringContaining(message) as string,
    remedy: expect.stringContaining(remedy) as string,
  });
}

describe('paths.js', () => {
  it.each([
    { HOME: '/home/ann' },
    { HOME: '/home/ann', XDG_CACHE_HOME: '/cache', XDG_DATA_HOME: '/data' },
    { HOME: '/home/ann', GRAFT_CACHE_DIR: '/a', GRAFT_STATE_DIR: '/b', XDG_CACHE_HOME: '/cache' },
    { HOME: '/home/ann', GRAFT_CACHE_DIR: '', XDG_DATA_HOME: '' },
    {},
  ])('agrees with services/platform/paths.ts for %j', (env) => {
    expect(resolvePathsInJavaScript(env)).toEqual(resolvePaths(env));
  });
});

describe('check-machine', () => {
  it.each(['20.19.0', '20.20.2', '21.0.0', '22.23.3'])('takes Node %s', (version) => {
    expect(() => {
      checkNode(version);
    }).not.toThrow();
  });

  it.each(['18.20.0', '20.18.3', '23.0.0', '24.1.0'])('refuses Node %s and says which to install', (version) => {
    expect(() => {
      checkNode(version);
    }).toThrow(setupErrorWith(version, 'Node 22'));
  });

  it('accepts linux on x64, and other processors with a library', () => {
    expect(() => {
      checkPlatform('linux', 'x64', '');
      checkPlatform('linux', 'arm64', '/opt/tensorflow');
    }).not.toThrow();
    expect(() => {
      checkPlatform('linux', 'arm64', '');
    }).toThrow(setupErrorWith('arm64', 'GRAFT_LIBTENSORFLOW'));
    expect(() => {
      checkPlatform('darwin', 'arm64', '/opt/tensorflow');
    }).toThrow(/darwin on arm64/);
  });
});

describe('install-packages', () => {
  const lock = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/b-darwin': { version: '1.0.0', integrity: 'sha512-b', optional: true },
    },
  };

  it('keeps what npm installed from the same lock file', () => {
    expect(
      holdsSamePackages(lock, { packages: { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } } }),
    ).toBe(true);
  });

  it.each([
    ['a package is missing', {}],
    ['a version differs', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }],
    ['a digest differs', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } }],
    ['there is one too many', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' }, 'node_modules/z': {} }],
  ])('installs when %s', (_reason, packages) => {
    expect(holdsSamePackages(lock, { packages })).toBe(false);
  });
});

describe('package-lock.json', () => {
  it('describes every optional package it names, as npm ci demands', () => {
    const lock = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string }>;
    };
    const missing = missingPlatformPackages(lock.packages).map(({ path }) => path);
    expect(missing, 'run: node deploy/bootstrap/complete-lock-file.js').toEqual([]);
  });

  it('is completed with the platform in the name of the package', () => {
    const packages = {
      'node_modules/tool': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: {
          '@tool/linux-x64': '1.0.0',
          '@tool/win32-arm64-msvc': '1.0.0',
          'tool-wasm32-wasi': '1.0.0',
        },
      },
      'node_modules/tool/node_modules/@tool/linux-x64': { version: '1.0.0' },
    };
    expect(missingPlatformPackages(packages)).toEqual([
      {
        path: 'node_modules/@tool/win32-arm64-msvc',
        entry: { version: '1.0.0', cpu: ['arm64'], os: ['win32'], dev: true, optional: true },
      },
      {
        path: 'node_modules/tool-wasm32-wasi',
        entry: { version: '1.0.0', cpu: ['wasm32'], dev: true, optional: true },
      },
    ]);
  });
});

describe('files', () => {
  it('have different digests for different lists', () => {
    expect(digestOf(['ab', 'c'])).not.toBe(digestOf(['a', 'bc']));
    expect(digestOf(['ab', 'c'])).toBe(digestOf(['ab', Buffer.from('c')]));
  });

  it('renames a folder to its final path complete or not at all', async () => {
    const target = join(folder, 'cache', 'thing');
    const failing = buildFolder(target, (temporary) => {
      writeFileSync(join(temporary, 'half'), '1');
      return Promise.reject(new Error('broke'));
    });
    await expect(failing).rejects.toThrow('broke');
    expect(readdirSync(join(folder, 'cache'))).toEqual([]);
    await Promise.all(
      ['first', 'second'].map((name) =>
        buildFolder(target, (temporary) => {
          writeFileSync(join(temporary, 'file'), name);
          return Promise.resolve();
        }),
      ),
    );
    expect(readdirSync(join(folder, 'cache'))).toEqual(['thing']);
    expect(['first', 'second']).toContain(readFileSync(join(target, 'file'), 'utf8'));
  });

  it('leaves no half-written file', () => {
    const path = join(folder, 'deep', 'file');
    writeFileAtomically(path, 'one');
    writeFileAtomically(path, 'two');
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(join(folder, 'deep'))).toEqual(['file']);
  });
});

describe('runSteps', () => {
  const base = (): { env: NodeJS.ProcessEnv; root: string; paths: { cacheDir: string; stateDir: string } } => ({
    env: {},
    root: folder,
    paths: { cacheDir: join(folder, 'cache'), stateDir: folder },
  });

  it('numbers and times the steps, and stops at the first that fails', async () => {
    const lines: string[] = [];
    const ran: string[] = [];
    const step = (title: string, run: () => Promise<string>): { title: string; run: () => Promise<string> } => ({
      title,
      run: () => {
        ran.push(title);
        return run();
      },
    });
    const steps = [
      step('One', () => Promise.resolve('ready')),
      step('Two', () => Promise.reject(new SetupError('no disk', 'buy one'))),
      step('Three', () => Promise.resolve('ready')),
    ];
    await expect(runSteps(steps, base(), (line) => lines.push(line))).rejects.toThrow('no disk');
    expect(ran).toEqual(['One', 'Two']);
    expect(lines[0]).toMatch(/^\[1\/3\] One … ready in \d+(\.\d)? m?s$/);
    expect(lines[1]).toMatch(/^\[2\/3\] Two … failed after /);
  });

  it('reports the needed and the free space', async () => {
    const step = {
      title: 'Huge',
      run: (context: { requireFreeSpace: (megabytes: number, what: string) => void }) => {
        context.requireFreeSpace(1e12, 'the moon');
        return Promise.resolve('');
      },
    };
    await expect(runSteps([step], base(), () => undefined)).rejects.toThrow(
      /^the moon needs 1000000000000 MB in .*cache, but only \d+ MB are free\.$/,
    );
  });
});

describe('main.js', () => {
  it('prints its help and refuses unknown commands and arguments', async () => {
    const help = await run([main, '--help'], { PATH: '' });
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('GRAFT_LIBTENSORFLOW');
    const unknown = await run([main, 'dance'], { PATH: '' });
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('"dance"');
    const argument = await run([main, 'setup', '--all'], { PATH: '' });
    expect(argument.code).toBe(1);
    expect(argument.stderr).toContain('Unknown argument --all');
  });

  const download = `
    import { downloadWheels } from ${JSON.stringify(join(repositoryRoot, 'deploy', 'bootstrap', 'pip.js'))};
    import { zig } from ${JSON.stringify(join(repositoryRoot, 'deploy', 'bootstrap', 'wheels.js'))};
    await downloadWheels([zig], process.env.SCRATCH).catch((error) => {
      console.log(error.name, '|', error.message, '|', error.remedy);
    });`;

  it('says what to install when Python or pip is missing', async () => {
    const withoutPython = await run(['--input-type=module', '-e', download], { PATH: pathWith({}), SCRATCH: folder });
    expect(withoutPython.stdout).toMatch(
      /^SetupError \| No Python 3\.8 or later was found .*apt install python3 python3-pip/s,
    );
    rmSync(join(folder, 'bin'), { recursive: true });
    const noPip = '#!/bin/sh\nif [ "$1" = -m ]; then echo "No module named pip" >&2; exit 1; fi\n';
    const withoutPip = await run(['--input-type=module', '-e', download], {
      PATH: pathWith({ python3: noPip }),
      SCRATCH: folder,
    });
    expect(withoutPip.stdout).toMatch(/^SetupError \| python3 has no pip, .*apt install python3-pip/s);
  });

  it('refuses a file with another digest, and leaves nothing behind', async (context) => {
    const path = process.env['PATH'] ?? '';
    const pip = await new Promise((resolve) => {
      execFile('python3', ['-m', 'pip', '--version'], (error) => {
        resolve(error === null);
      });
    });
    if (pip !== true) context.skip('python3 with pip is not installed');
    const wheels = join(folder, 'wheels');
    mkdirSync(wheels);
    writeFileSync(join(wheels, `ziglang-${zig.version}-py3-none-manylinux_2_12_x86_64.whl`), 'not what was pinned');
    const scratch = join(folder, 'scratch');
    const env = { PATH: path, HOME: folder, PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheels, SCRATCH: scratch };
    const result = await run(['--input-type=module', '-e', download], env);
    expect(result.stdout).toMatch(
      /could not download ziglang .*another file than this version of Graft was tested with/s,
    );
    expect(readdirSync(scratch)).toEqual([]);
  });
});

describe('the launcher of the CLI', () => {
  it('prints how to set up when nothing is set up', async () => {
    const copy = join(folder, 'services', 'cli');
    mkdirSync(copy, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(copy, 'graft.js'), readFileSync(join(repositoryRoot, 'services', 'cli', 'graft.js')));
    const result = await run([join(copy, 'graft.js'), '--help'], { PATH: '' });
    expect(result.code).toBe(7);
    expect(result.stderr).toContain('npm run setup');
    expect(result.stderr).toContain('proto/gen/graft');
  });
});
