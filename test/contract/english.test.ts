import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { proseOf } from '../support/prose.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

/** Folders and files whose prose is checked. Generated code is left out, and so are migrations, which must not change. */
const ENFORCED: readonly string[] = [
  'deploy/README.md',
  'deploy/base',
  'deploy/bootstrap',
  'deploy/build.js',
  'deploy/components',
  'deploy/docker',
  'deploy/load-data.yaml',
  'deploy/overlays',
  'deploy/settings.md',
  'deploy/systemd',
  'prisma',
  'proto',
  'services/cli/README.md',
  'services/cli/actions',
  'services/cli/cli.ts',
  'services/cli/client',
  'services/cli/cluster',
  'services/cli/commands',
  'services/cli/context',
  'services/cli/dataset',
  'services/cli/demo',
  'services/cli/describe',
  'services/cli/examples',
  'services/cli/explain-error.ts',
  'services/cli/graft.js',
  'services/cli/main.ts',
  'services/cli/progress',
  'services/cli/report',
  'services/cli/sweep-file',
  'services/cli/terminal',
  'services/cli/tool',
  'services/coordinator/README.md',
  'services/coordinator/config.ts',
  'services/coordinator/coordinator.ts',
  'services/coordinator/loops',
  'services/coordinator/main.ts',
  'services/coordinator/mlflow-config.ts',
  'services/coordinator/rpc',
  'services/coordinator/security-config.ts',
  'services/coordinator/store',
  'services/coordinator/store-claim.ts',
  'services/coordinator/telemetry',
  'services/core/records',
  'services/core/network',
  'services/core/planner',
  'services/core/search-space',
  'services/core/text',
  'services/core/validation',
  'services/migrate',
  'services/core/README.md',
  'services/core/artifact-names.ts',
  'services/core/checkpoint-uri.ts',
  'services/core/dataset.ts',
  'services/core/digest.ts',
  'services/core/errors.ts',
  'services/core/ids.ts',
  'services/core/lease.ts',
  'services/core/machine-fault.ts',
  'services/core/objective.ts',
  'services/core/ranking.ts',
  'services/core/repair.ts',
  'services/core/reports',
  'services/core/retry.ts',
  'services/core/rng',
  'services/core/run-config.ts',
  'services/core/run-summary.ts',
  'services/core/samplers',
  'services/core/states',
  'services/core/statistics',
  'services/core/store-owner.ts',
  'services/core/sweep',
  'services/core/task.ts',
  'services/core/token-role.ts',
  'services/core/trainer-errors.ts',
  'services/core/version-skew.ts',
  'services/platform/artifacts',
  'services/platform/config',
  'services/platform/db',
  'services/platform/files',
  'services/platform/http',
  'services/platform/lifecycle',
  'services/platform/mlflow',
  'services/platform/net',
  'services/platform/rpc',
  'services/platform/telemetry',
  'services/trainer/README.md',
  'services/trainer/augmentation',
  'services/trainer/backbones',
  'services/trainer/checkpoints',
  'services/trainer/config.ts',
  'services/trainer/data',
  'services/trainer/engine',
  'services/trainer/export',
  'services/trainer/heads',
  'services/trainer/lease',
  'services/trainer/main.ts',
  'services/trainer/slots',
  'services/trainer/telemetry',
  'services/trainer/tool',
  'services/trainer/trainer.ts',
  'services/trainer/training',
  'services/trainer/worker.ts',
  'test/bench',
  'test/contract/database',
  'test/contract/mlflow',
  'test/property',
  'test/contract/proto',
  'test/contract/rpc',
  'test/e2e',
  'test/fault',
  'test/fuzz',
  'test/integration/trainer',
  'test/integration/worker',
  'test/kube',
  'test/parity',
  'test/security',
  'test/support',
  'test/unit/bootstrap',
  'test/unit/platform',
  'test/unit/trainer/augmentation',
  'test/unit/trainer/checkpoints',
  'test/unit/trainer/data',
  'test/unit/trainer/engine',
  'test/unit/trainer/export',
  'test/unit/trainer/heads',
  'test/unit/trainer/lease',
  'test/unit/trainer/slots',
  'test/unit/trainer/training',
];

const SKIPPED =
  /^(proto\/gen|prisma\/(client|migrations))\/|^prisma\/schema\.sql$|^test\/contract\/english\.test\.ts$|^test\/.*\.(json|txt)$/;
const READ = /\.(ts|js|md|proto|prisma|sql|sh|py|ya?ml|json|h|cc|go|service|env|conf|toml)$|Dockerfile/;

interface Word {
  pattern: RegExp;
  instead: string;
  /** Longer phrases in which the word is fine. */
  fine: RegExp[];
}

/** Reads the word list of CONTRIBUTING.md: phrases to avoid, what to write, and longer phrases that are still fine. */
function readWordList(markdown: string): Word[] {
  const [, table = ''] = /^\| not .*\n\|.*\n((?:\|.*\n)+)/m.exec(markdown) ?? [];
  return [...table.matchAll(/^\|(.*)\|(.*)\|(.*)\|$/gm)].flatMap(([, not = '', but = '', fine = '']) =>
    phrasesOf(not).map((phrase) => ({
      pattern: patternOf(phrase),
      instead: but.trim(),
      fine: phrasesOf(fine).map(patternOf),
    })),
  );
}

const phrasesOf = (cell: string): string[] => cell.split(',').flatMap((phrase) => phrase.trim() || []);

/** "(at the end)" is a part of the list's notation: the phrase counts only where a clause ends. */
function patternOf(phrase: string): RegExp {
  const [words = '', atEnd] = phrase.split(' (at the end)');
  const spaced = words.replaceAll(' ', '\\s+').replace(/^\b/, '(?<!\\w)').replace(/\b$/, '(?!\\w)');
  return new RegExp(`${spaced}${atEnd === undefined ? '' : '(?=\\s*[.,;:)])'}`, 'gi');
}

function filesIn(path: string): string[] {
  if (READ.test(path)) return [path];
  return readdirSync(join(ROOT, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .filter((file) => READ.test(file) && !SKIPPED.test(file));
}

/** Returns a line for each word of the list: file, line, the word, what to write in its place. */
function mistakesIn(path: string, source: string): string[] {
  const blank = (text: string): string => text.replaceAll(/\S/g, '\0');
  const prose = proseOf(path, source).replace(/^\| not .*\n(?:\|.*\n)+/m, blank);
  return WORDS.flatMap(({ pattern, instead, fine }) =>
    [...fine.reduce((text, longer) => text.replaceAll(longer, blank), prose).matchAll(pattern)].map(
      ({ 0: word, index }) => {
        const line = prose.slice(0, index).split('\n').length;
        return `${path}:${line}: ${word.replaceAll(/\s+/g, ' ')} → ${instead}`;
      },
    ),
  );
}

const WORDS = readWordList(readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8'));

describe('the English of the project', () => {
  it.each(ENFORCED)('%s avoids the words that CONTRIBUTING.md lists', (path) => {
    const mistakes = filesIn(path).flatMap((file) => mistakesIn(file, readFileSync(join(ROOT, file), 'utf8')));
    expect(mistakes).toEqual([]);
  });

  it('finds a word of the list in comments and strings, but not in code', () => {
    const source = '// It is tried\n// again.\nconst anew = `the ${newest} one`; // so long as\nlog("is gone");\n';
    expect(mistakesIn('a.ts', source)).toEqual([
      'a.ts:1: tried again → retried, rebuilt',
      'a.ts:4: is gone → is removed, has ended, is lost',
    ]);
  });

  it.each([
    ['What it says.', 1],
    ['\n * For a\n * caller.\n ', 1],
    ['In-memory copy.', 0],
    ['Returns what it says.', 0],
  ])('ESLint on the doc comment "%s": %d mistakes', async (comment, mistakes) => {
    const eslint = new ESLint({ cwd: ROOT, overrideConfig: { rules: { 'doc-comment/sentence': 'error' } } });
    const [result] = await eslint.lintText(`/** ${comment} */\n`, { filePath: 'deploy/bootstrap/main.js' });
    expect(result?.messages).toHaveLength(mistakes);
  });
});
