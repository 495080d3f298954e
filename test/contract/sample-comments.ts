/**
 * Draws doc comments at random from a commit and prints each beside what it is now.
 * Usage: node --import tsx test/contract/sample-comments.ts COMMIT [COUNT [SEED]]
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';

interface Comment {
  file: string;
  /** Identifier declared after the comment; empty when none follows. */
  name: string;
  text: string;
}

const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 1 << 28 });

function commentsOf(commit: string): Comment[] {
  const files = git('ls-tree', '-r', '--name-only', commit, 'services', 'deploy', 'test')
    .split('\n')
    .filter((file) => /\.(ts|js)$/.test(file));
  return files.flatMap((file) =>
    [...git('show', `${commit}:${file}`).matchAll(DOC_COMMENT)].map(([, text = '', name = '']) => ({
      file,
      name,
      text: text.replaceAll(/\s*\n\s*\*? ?/g, ' ').trim(),
    })),
  );
}

const MODIFIERS =
  'export|default|declare|async|function\\*?|const|let|class|interface|type|enum|readonly|private|static|get|set|abstract|override';
const DOC_COMMENT = new RegExp(`/\\*\\*([^]*?)\\*/\\s*(?:(?:${MODIFIERS})\\s+)*([\\w$]*)`, 'g');

/** Returns the path after `commit` of every file that was renamed since. */
function renamesSince(commit: string): Map<string, string> {
  const rows = git('diff', '--name-status', '-M40%', '--diff-filter=R', commit, 'HEAD').trim().split('\n');
  return new Map(rows.map((row) => row.split('\t')).map(([, before = '', after = '']) => [before, after]));
}

const [commit, count = '10', seed = String(randomInt(1e9))] = process.argv.slice(2);
if (commit === undefined) throw new Error('Usage: sample-comments.ts COMMIT [COUNT [SEED]]');

const renames = renamesSince(commit);
const after = commentsOf('HEAD');
const rank = ({ file, name, text }: Comment): string =>
  createHash('sha256').update(`${seed}\0${file}\0${name}\0${text}`).digest('hex');
const drawn = commentsOf(commit)
  .map((comment) => ({ ...comment, rank: rank(comment) }))
  .sort((a, b) => (a.rank < b.rank ? -1 : 1))
  .slice(0, Number(count));

console.log(`${drawn.length} doc comments of ${commit}, seed ${seed}`);
for (const { file, name, text } of drawn) {
  const named = after.filter((comment) => comment.name === name && name !== '');
  const place = renames.get(file) ?? file;
  const now = named.find((comment) => comment.file === place) ?? (named.length === 1 ? named[0] : undefined);
  console.log(`\n${file} ${name}${now !== undefined && now.file !== file ? ` (now ${now.file})` : ''}`);
  console.log(`  before: ${text}`);
  console.log(`  after:  ${now === undefined ? '(no comment of this name)' : now.text === text ? '(same)' : now.text}`);
}
