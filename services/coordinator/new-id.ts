import { randomInt } from 'node:crypto';

/** Crockford's base 32 in lower case. It lacks i, l, o and u, so that an identifier can be read out and typed. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Returns `s` and nine random characters (45 bits). Among a million sweeps two collide with 1.4 %; the second is refused. */
export function newSweepId(): string {
  return `s${randomText(9)}`;
}

/** Returns `c` and sixteen random characters: there are hundreds of checkpoints per run. */
export function newCheckpointId(): string {
  return `c${randomText(16)}`;
}

/** Returns `t` and nine random characters. */
export function newTokenId(): string {
  return `t${randomText(9)}`;
}

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
}
