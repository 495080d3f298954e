import { hostname } from 'node:os';
import { isAbsolute, relative, sep } from 'node:path';
import { machineFault, SAME_PATH_RULE } from '../../core/machine-fault.ts';
import type { TaskError } from '../../core/task.ts';
import { WeightFileMissingError } from '../backbones/weight-file.ts';
import type { ImageCacheError } from '../data/image-cache-error.ts';
import { isDeviceLost } from './device-lost.ts';

/** Folders that a task uses on this machine; null: none. */
export interface TaskPlaces {
  readonly store: string | null;
  readonly cache: string;
  readonly data: string | null;
}

/** What the kernel says of a disk or a mount that has gone, is broken, or is not this user's. */
const IO_CODES: ReadonlySet<string> = new Set([
  ...['EACCES', 'EPERM', 'EROFS', 'EIO', 'ESTALE', 'ENOTCONN', 'ENODEV', 'ENXIO', 'EHOSTDOWN', 'EREMOTEIO'],
  ...['ETIMEDOUT', 'EUCLEAN'],
]);
const SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The fault of this machine that an error speaks of; null: it speaks of none. */
export function machineErrorOf(error: unknown, places: TaskPlaces | null): TaskError | null {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  if (isDeviceLost(message))
    return machineFault('DEVICE_LOST', `The device of this slot is lost: ${message} (host ${hostname()})`);
  if (error instanceof WeightFileMissingError) {
    return { ...machineFault('WEIGHTS_MISSING', `${message} ${SAME_PATH_RULE}`), errorClass: 'PERMANENT' };
  }
  switch (name) {
    case 'ArtifactSpaceError':
      return machineFault('DISK_FULL', `${message} This was host ${hostname()}.`);
    case 'ArtifactUnwritableError':
      return machineFault('STORE_UNWRITABLE', `${message} This was host ${hostname()}.`);
    case 'ArtifactUnreachableError':
      return machineFault('STORE_UNREACHABLE', `${message} This was host ${hostname()}.`);
    case 'DownloadError':
      return machineFault('WEIGHTS_UNAVAILABLE', `${message} This was host ${hostname()}.`);
    case 'PathOutsideError':
      return {
        ...machineFault('PATH_OUTSIDE', `${message} This was host ${hostname()}; trainers may differ in it.`),
        errorClass: 'PERMANENT',
      };
    case 'ImageCacheError': {
      const found = imageFault(message, error as Pick<ImageCacheError, 'fault'>);
      if (found !== null) return found;
    }
  }
  return places === null ? null : ioFault(error, places);
}

function imageFault(message: string, error: Pick<ImageCacheError, 'fault'>): TaskError | null {
  const told = `${message} This was host ${hostname()}.`;
  switch (error.fault) {
    case 'MISSING':
      return machineFault('DATA_MISSING', `${told} ${SAME_PATH_RULE}`);
    case 'CHANGED':
      return { ...machineFault('DATA_CHANGED', `${told} ${SAME_PATH_RULE}`), errorClass: 'PERMANENT' };
    case 'SPACE':
      return machineFault('DISK_FULL', told);
    case null:
      return null;
  }
}

/** By what the kernel said, and of which path. */
function ioFault(error: unknown, places: TaskPlaces): TaskError | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const { code = '', path = '' } = cause as NodeJS.ErrnoException;
    const told = `${cause.message} (host ${hostname()}).`;
    if (SPACE_CODES.has(code)) return machineFault('DISK_FULL', `A disk is full: ${told} Free some space there.`);
    if (!IO_CODES.has(code)) continue;
    if (isBelow(places.store, path))
      return machineFault('STORE_UNREACHABLE', `The artifact store can't be used: ${told}`);
    if (isBelow(places.data, path))
      return machineFault('DATA_UNREADABLE', `The images can't be read: ${told} ${SAME_PATH_RULE}`);
    return machineFault('DISK_UNUSABLE', `${told} The cache folder is ${places.cache} (GRAFT_CACHE_DIR).`);
  }
  return null;
}

function isBelow(folder: string | null, path: string): boolean {
  if (folder === null || path === '') return false;
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
