import { createRequire } from 'node:module';
import { join } from 'node:path';
import { headsModule, obtainHeads } from '../engine/heads.js';
import { linkFile } from '../files.js';

/** @type {import('../step.js').Step} */
export const nativeHeads = {
  title: 'Native heads',
  async run(context) {
    const folder = await obtainHeads(context);
    const link = join(context.root, 'node_modules', '.graft-native', headsModule);
    linkFile(join(folder, headsModule), link);
    const module = createRequire(import.meta.url)(link);
    return `ready (${module.instructionSet()})`;
  },
};
