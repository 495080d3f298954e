import { compileOnce } from '../compile.js';

/** @type {import('../step.js').Step} */
export const compileServices = {
  title: 'Compiled services',
  async run({ root }) {
    await compileOnce(root);
    return 'ready';
  },
};
