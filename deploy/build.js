#!/usr/bin/env node
// Builds the content of the images: JavaScript of the services and the files that they read. Run by `npm run build`.
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { compile, listSources } from './bootstrap/compile.js';
import { repositoryRoot } from './bootstrap/paths.js';

const { values } = parseArgs({ options: { out: { type: 'string', default: join(repositoryRoot, 'dist') } } });
const out = resolve(values.out);

// A file that was deleted in the sources must not remain in the build.
rmSync(out, { recursive: true, force: true });
await compile(repositoryRoot, listSources(repositoryRoot), out);
