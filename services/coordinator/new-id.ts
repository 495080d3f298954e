import { randomInt } from 'node:crypto';

/** Crockford's base 32 in lower case: no i, l, o, u, so that an identity can be read out and typed. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** `s` and nine random characters (45 bits): two of a million sweeps collide with a chance of 1.4 %, and then the second is refused. */
export function newSweepId(): string {
  return `s${randomText(9)}`;
}

/** `c` and sixteen random characters: there are hundreds of checkpoints per run. */
export function newCheckpointId(): string {
  return `c${randomText(16)}`;
}

/** `t` and nine random characters. */
export function newTokenId(): string {
  return `t${randomText(9)}`;
}

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
}
