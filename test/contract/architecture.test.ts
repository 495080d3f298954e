import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;

it.each(['ARCHITECTURE.md', 'README.md', 'CONTRIBUTING.md'])('%s names only files that exist', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const paths = [...text.matchAll(/`((?:services|proto|prisma|deploy|test)\/[\w./-]+)`/g)].map(([, path = '']) => path);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  if (document === 'ARCHITECTURE.md') expect(paths.length).toBeGreaterThan(30);
});
