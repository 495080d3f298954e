import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { proseOf } from '../support/prose.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

/** Folders and files whose prose is checked. Generated code is left out, and so are migrations, which must not change. */
const ENFORCED: readonly string[] = [
  '.config',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'README.md',
  'deploy',
  'eslint.config.js',
  'prisma',
  'proto',
  'services',
  'test',
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
    const eslint = new ESLint({ cwd: ROOT });
    const [result] = await eslint.lintText(`/** ${comment} */\n`, { filePath: 'deploy/bootstrap/main.js' });
    expect(result?.messages).toHaveLength(mistakes);
  });
});
