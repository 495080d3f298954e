import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { STEPS, VARIANTS, start, stateOf, stepTogether } from './native-runs.ts';

/**
 * Trains every variant for an epoch and writes all values to the named file, for a process with another instruction
 * set.
 */
const runs = start(VARIANTS);
for (let step = 0; step < STEPS; step++) stepTogether(runs, step);
const states = runs.flatMap(({ head }) => stateOf(head));
const [path = ''] = process.argv.slice(2);
writeFileSync(path, Buffer.concat(states.map(({ buffer }) => Buffer.from(buffer))));
