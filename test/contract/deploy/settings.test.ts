import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { COORDINATOR_SETTINGS } from '../../../services/coordinator/config.ts';
import { fallbackOf } from '../../../services/platform/config/setting.ts';
import type { Settings } from '../../../services/platform/config/setting.ts';
import { DATABASE_SETTINGS } from '../../../services/platform/config/shared-settings.ts';
import { TRAINER_SETTINGS } from '../../../services/trainer/config.ts';
import { DEPLOY } from './support/kustomize.ts';

const DOCUMENT = join(DEPLOY, 'settings.md');
const SERVICES: Readonly<Record<string, Settings>> = {
  coordinator: COORDINATOR_SETTINGS,
  trainer: TRAINER_SETTINGS,
  migrate: DATABASE_SETTINGS,
};
/** Variables read by set-up and tests, or set by Kubernetes for pods with service links. */
const OTHERS =
  /^GRAFT_(SKIP_|TEST_|ENGINE|EXPORT|LIBTENSORFLOW|PYTHON|INSTRUCTION_SET|COMPILED|LIST_|COORDINATOR_(SERVICE_HOST|PORT))/;

function tableOf([service, settings]: readonly [string, Settings]): string {
  const rows = Object.entries(settings).map(
    ([name, setting]) => `| \`${name}\` | \`${fallbackOf(setting)}\` | ${setting.help.replaceAll('|', '\\|')} |`,
  );
  return [`## ${service}`, '', '| variable | default | meaning |', '|---|---|---|', ...rows, ''].join('\n');
}

describe('the documentation of settings', () => {
  it('equals the tables (update it with `npm test -- test/contract/deploy/settings.test.ts -u`)', async () => {
    const head = `# Settings\n\nEnvironment variables of each service, generated from its table of settings by \`test/contract/deploy/settings.test.ts\`.\n`;
    const written = [head, ...Object.entries(SERVICES).map(tableOf)].join('\n');
    const options = (await resolveConfig(DOCUMENT)) ?? {};
    await expect(await format(written, { ...options, filepath: DOCUMENT })).toMatchFileSnapshot(DOCUMENT);
  });

  it.each(
    ['', ...readdirSync(DEPLOY, { recursive: true, encoding: 'utf8' })]
      .map((path) => (path === '' ? join(DEPLOY, '..', 'README.md') : join(DEPLOY, path)))
      .filter((path) => /\.(md|yaml|env|service|Dockerfile)$/.test(path)),
  )('names no other setting: %s', (path) => {
    const known = new Set(Object.values(SERVICES).flatMap((settings) => Object.keys(settings)));
    const named = readFileSync(path, 'utf8').match(/\bGRAFT_[A-Z0-9]+(?:_[A-Z0-9]+)*\b/g) ?? [];
    expect(named.filter((name) => !known.has(name) && !OTHERS.test(name))).toEqual([]);
  });
});
