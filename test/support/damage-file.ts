import { closeSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';

/** Kinds of damage of a stored file: it is removed, truncated, or one byte is changed. */
export type FileDamage = 'delete' | 'truncate' | 'flip';

export const FILE_DAMAGES: readonly FileDamage[] = ['delete', 'truncate', 'flip'];

/** Damages a file. @param part position in the file, from 0 to 1. */
export function damageFile(path: string, damage: FileDamage, part = 0.5): void {
  const { size } = statSync(path);
  const position = Math.min(size - 1, Math.floor(size * part));
  if (damage === 'delete') rmSync(path);
  else if (damage === 'truncate') truncateSync(path, position);
  else flipByte(path, position);
}

function flipByte(path: string, position: number): void {
  const file = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, position);
    writeSync(file, Buffer.of((byte[0] ?? 0) ^ 0x10), 0, 1, position);
  } finally {
    closeSync(file);
  }
}
