import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COORDINATOR_SETTINGS } from '../../../services/coordinator/config.ts';
import { DATABASE_SETTINGS } from '../../../services/platform/config/shared-settings.ts';
import { freePort } from '../../../services/platform/net/free-port.ts';
import { TRAINER_SETTINGS } from '../../../services/trainer/config.ts';
import { createTestDatabase } from '../../support/database.ts';
import { runCommand } from '../../support/python-venv.ts';
import { commandOf, copiesOf, pairsOf, parseDockerfile, textsOf } from './support/dockerfile.ts';
import type { Stage } from './support/dockerfile.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const SERVICES = ['coordinator', 'trainer', 'migrate'] as const;
type Service = (typeof SERVICES)[number];

/** Variables read by software other than our services. */
const FOREIGN_SETTINGS = ['NODE_ENV', 'HOME', 'NVIDIA_VISIBLE_DEVICES', 'NVIDIA_DRIVER_CAPABILITIES'];
const SETTINGS: Readonly<Record<Service, readonly string[]>> = {
  coordinator: Object.keys(COORDINATOR_SETTINGS),
  trainer: Object.keys(TRAINER_SETTINGS),
  migrate: Object.keys(DATABASE_SETTINGS),
};

function stagesOf(service: Service): readonly Stage[] {
  return parseDockerfile(readFileSync(join(ROOT, 'deploy', 'docker', `${service}.Dockerfile`), 'utf8'));
}

function last(service: Service): Stage {
  return stagesOf(service).at(-1)!;
}

/**
 * Returns whether `.dockerignore` includes a path: everything is excluded except for the lines with `!`, parts of which
 * are excluded again.
 */
function isInContext(path: string): boolean {
  let isIn = true;
  for (const line of readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n')) {
    const pattern = line.trim();
    if (pattern === '' || pattern.startsWith('#')) continue;
    const name = pattern.replace(/^!/, '');
    if (name === '*' || path === name || path.startsWith(`${name}/`)) isIn = pattern.startsWith('!');
  }
  return isIn;
}

describe.each(SERVICES)('%s.Dockerfile', (service) => {
  const stages = stagesOf(service);
  const final = last(service);

  it('uses the same base in all three images, pinned by digest', () => {
    for (const { base } of stages) expect(base).toMatch(/^docker\.io\/[\w/.-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
    expect(final.base).toBe(last('coordinator').base);
  });

  it('copies only existing files that reach the engine, from existing stages', () => {
    const names = stages.map(({ name }) => name);
    for (const [index, stage] of stages.entries()) {
      for (const { from, sources } of copiesOf(stage)) {
        expect(sources.length).toBeGreaterThan(0);
        if (from !== null) expect(names.slice(0, index)).toContain(from);
        for (const source of from === null ? sources : []) {
          expect(existsSync(join(ROOT, source)), source).toBe(true);
          expect(isInContext(source), `${source} in the build context`).toBe(true);
        }
      }
    }
  });

  it('installs from the lock file, without packages that only developers or other services need', () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const commands = stages.flatMap((stage) => textsOf(stage, 'RUN'));
    expect(commands.join('\n')).not.toMatch(/npm (?:install|i) /);
    const packages = textsOf(
      stages.find(({ name }) => name === 'packages')!,
      'RUN',
    ).join(' ');
    expect(packages).toContain('npm ci --omit=dev');
    for (const name of removedPackages(service)) expect({ ...dependencies, ...devDependencies }).toHaveProperty([name]);
  });

  it('runs as an account without a name, with ports, labels and settings that fit the service', () => {
    expect(textsOf(final, 'USER')).toEqual(['65532:65532']);
    const settings = pairsOf(final, 'ENV');
    expect([...SETTINGS[service], ...FOREIGN_SETTINGS]).toEqual(expect.arrayContaining(Object.keys(settings)));
    const ports = Object.entries(settings)
      .filter(([name]) => name.endsWith('_LISTEN'))
      .map(([, address]) => address.split(':').at(-1));
    expect(
      textsOf(final, 'EXPOSE')
        .join(' ')
        .split(' ')
        .filter((port) => port !== ''),
    ).toEqual(ports);
    expect(pairsOf(final, 'LABEL')).toMatchObject({
      'org.opencontainers.image.title': `graft-${service}`,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
    const volumes = JSON.parse(textsOf(final, 'VOLUME')[0] ?? '[]') as string[];
    // A volume mounted on a folder of the image starts with its owner; any other belongs to root.
    const owned = textsOf(final, 'RUN').flatMap((command) => {
      const [, folders = ''] = /^install --directory --owner=65532 --group=65532 (.*)$/.exec(command) ?? [];
      return folders.split(' ').filter((folder) => folder !== '');
    });
    expect(['/tmp', ...owned].sort()).toEqual([...volumes].sort());
    for (const [name, folder] of Object.entries(settings)) {
      if (name.endsWith('_DIR'))
        expect(
          volumes.some((volume) => folder.startsWith(volume)),
          name,
        ).toBe(true);
    }
  });
});

it('copies the targets of the links that set-up creates below node_modules into the trainer', () => {
  const copied = copiesOf(last('trainer')).flatMap(({ from, sources }) => (from === 'engine' ? sources : []));
  for (const folder of ['@tensorflow/tfjs-node-gpu/lib', '.graft-native']) {
    const links = readdirSync(join(ROOT, 'node_modules', folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(ROOT, 'node_modules', folder, name))
      .filter((path) => lstatSync(path).isSymbolicLink());
    expect(links, folder).toHaveLength(1);
    expect(copied).toContain(`/src/node_modules/${folder}`);
    // They point into the cache folder, whose path is the same in the image and in the compiling stage.
    expect(readlinkSync(links[0]!)).toContain('/engine/');
  }
  expect(copied).toContain('/opt/graft/engine');
});

it('keeps files of one machine out of the build context', () => {
  for (const path of [
    'node_modules/pg',
    'dist/services',
    '.git/config',
    'proto/gen/graft',
    'prisma/client',
    '.env',
    'test/e2e',
  ])
    expect(isInContext(path), path).toBe(false);
});

describe('the programs of the images', () => {
  let app: string;

  // As in the image: the build, package.json and packages side by side, without the sources.
  beforeAll(async () => {
    app = await mkdtemp(join(tmpdir(), 'graft-image-'));
    await copyFile(join(ROOT, 'package.json'), join(app, 'package.json'));
    await symlink(join(ROOT, 'node_modules'), join(app, 'node_modules'));
    await runCommand(process.execPath, [join(ROOT, 'deploy', 'build.js'), '--out', join(app, 'dist')]);
  }, 300_000);

  afterAll(() => rm(app, { recursive: true, force: true }));

  it.each(SERVICES)('%s is in the build, and imports only packages that the image has', (service) => {
    const [program, entry = ''] = commandOf(last(service), 'CMD') ?? [];
    expect(program).toBe('node');
    const { files, packages } = closureOf(join(app, entry), { withWorkers: service === 'trainer' });
    const removed = removedPackages(service);
    expect(packages.filter((name) => removed.includes(name))).toEqual([]);
    expect(packages).not.toContain('tsx');
    if (service !== 'trainer') expect(packages).not.toContain('@tensorflow/tfjs-node-gpu');
    // Everything it loads is below the files that the last stage copies from the build.
    const copied = copiesOf(last(service)).flatMap(({ from, sources }) => (from === 'build' ? sources : []));
    for (const file of files) {
      const path = `/src/${relative(app, file)}`;
      expect(
        copied.some((source) => path.startsWith(`${source}/`)),
        path,
      ).toBe(true);
    }
  });

  it('migrate brings a database up to date, then coordinator serves it, is healthy, and ends in order', async () => {
    await using database = await createTestDatabase({ migrated: false });
    const ports = { grpc: await freePort(), metrics: await freePort() };
    const migration = start('migrate', { DATABASE_URL: database.url });
    expect([await text(migration.stderr!), await codeOf(migration)]).toEqual(['', 0]);
    const coordinator = start('coordinator', {
      ...pairsOf(last('coordinator'), 'ENV'),
      DATABASE_URL: database.url,
      GRAFT_ARTIFACTS_DIR: join(app, 'artifacts'),
      GRAFT_COORDINATOR_LISTEN: `127.0.0.1:${ports.grpc}`,
      GRAFT_COORDINATOR_METRICS_LISTEN: `127.0.0.1:${ports.metrics}`,
    });
    const log = text(coordinator.stderr!);
    const health = (commandOf(last('coordinator'), 'HEALTHCHECK') ?? []).map((word) =>
      word.replace('9464', String(ports.metrics)),
    );
    expect(health.join(' ')).toContain(`:${ports.metrics}/readyz`);
    await expect.poll(() => codeOf(spawn(health[0]!, health.slice(1))), { timeout: 30_000, interval: 200 }).toBe(0);
    coordinator.kill('SIGTERM');
    expect([await codeOf(coordinator), await log]).toEqual([0, expect.stringContaining('coordinator started')]);
    expect(await codeOf(spawn(health[0]!, health.slice(1)))).toBe(1);
  }, 120_000);

  it('trainer reads its settings', async () => {
    const trainer = start('trainer', pairsOf(last('trainer'), 'ENV'), ['--check-config']);
    expect(JSON.parse(await text(trainer.stdout!))).toMatchObject({
      artifactsDir: '/artifacts',
      cacheDir: '/cache',
      stateDir: '/state',
    });
    expect(await codeOf(trainer)).toBe(0);
  });

  function start(service: Service, env: Readonly<Record<string, string>>, args: readonly string[] = []): ChildProcess {
    const [, ...command] = commandOf(last(service), 'CMD') ?? [];
    const { PATH = '' } = process.env;
    return spawn(process.execPath, [...command, ...args], { cwd: app, env: { PATH, ...env } });
  }
});

async function codeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Returns the packages that the image's build deletes after `npm ci`. */
function removedPackages(service: Service): readonly string[] {
  const packages = stagesOf(service).find(({ name }) => name === 'packages')!;
  const [, list = ''] = /npm uninstall --no-save --omit=dev\s+(.*)$/.exec(textsOf(packages, 'RUN').join(' ')) ?? [];
  return list.trim().split(/\s+/);
}

/**
 * Returns all files and packages that a built program imports, directly or not; the trainer starts workers as files.
 */
function closureOf(
  entry: string,
  { withWorkers }: { withWorkers: boolean },
): { files: readonly string[]; packages: readonly string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const queue = withWorkers ? [entry, join(dirname(entry), 'worker.js')] : [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const source = readFileSync(file, 'utf8');
    for (const [, wanted = ''] of source.matchAll(
      /(?:\bfrom|\bimport|\brequire|require\(import\.meta\.url\))\s*\(?\s*['"]([^'"\n]+)['"]/g,
    )) {
      if (wanted.startsWith('node:')) continue;
      if (wanted.startsWith('.')) queue.push(join(dirname(file), wanted));
      else
        packages.add(
          wanted
            .split('/')
            .slice(0, wanted.startsWith('@') ? 2 : 1)
            .join('/'),
        );
    }
  }
  return { files: [...files], packages: [...packages] };
}
