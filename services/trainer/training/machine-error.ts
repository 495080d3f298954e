import { hostname } from 'node:os';
import { isAbsolute, relative, sep } from 'node:path';
import { machineFault, SAME_PATH_RULE } from '../../core/machine-fault.ts';
import type { TaskError } from '../../core/task.ts';
import { WeightFileMissingError, WeightsUnavailableError } from '../backbones/weight-file.ts';
import type { ImageCacheError } from '../data/image-cache-error.ts';
import { isDeviceLost } from './device-lost.ts';

/** Folders that a task uses on this machine; null: none. */
export interface TaskPlaces {
  readonly store: string | null;
  readonly cache: string;
  readonly data: string | null;
}

/** Error codes of a disk or a mount that is unavailable, broken, or not accessible to this user. */
const IO_CODES: ReadonlySet<string> = new Set([
  ...['EACCES', 'EPERM', 'EROFS', 'EIO', 'ESTALE', 'ENOTCONN', 'ENODEV', 'ENXIO', 'EHOSTDOWN', 'EREMOTEIO'],
  ...['ETIMEDOUT', 'EUCLEAN'],
]);
const SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Returns the machine fault that an error reports; null if it reports none. */
export function machineErrorOf(error: unknown, places: TaskPlaces | null): TaskError | null {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  if (isDeviceLost(message))
    return machineFault('DEVICE_LOST', `The device of this slot was lost: ${message} (host ${hostname()})`);
  if (error instanceof WeightFileMissingError) {
    return { ...machineFault('WEIGHTS_MISSING', `${message} ${SAME_PATH_RULE}`), errorClass: 'PERMANENT' };
  }
  if (error instanceof WeightsUnavailableError) {
    return machineFault(error.isTemporary ? 'WEIGHTS_UNAVAILABLE' : 'WEIGHTS_MISSING', message);
  }
  switch (name) {
    case 'ArtifactSpaceError':
      return machineFault('DISK_FULL', onHost(message));
    case 'ArtifactUnwritableError':
      return machineFault('STORE_UNWRITABLE', onHost(message));
    case 'ArtifactUnreachableError':
      return machineFault('STORE_UNREACHABLE', onHost(message));
    case 'PathOutsideError':
      return {
        ...machineFault(
          'PATH_OUTSIDE',
          `${message} This happened on host ${hostname()}; trainers may have different folders.`,
        ),
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
  const located = onHost(message);
  switch (error.fault) {
    case 'MISSING':
      return machineFault('DATA_MISSING', `${located} ${SAME_PATH_RULE}`);
    case 'CHANGED':
      return { ...machineFault('DATA_CHANGED', `${located} ${SAME_PATH_RULE}`), errorClass: 'PERMANENT' };
    case 'SPACE':
      return machineFault('DISK_FULL', located);
    case null:
      return null;
  }
}

/** Classifies an I/O error by its code and path. */
function ioFault(error: unknown, places: TaskPlaces): TaskError | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const { code = '', path = '' } = cause as NodeJS.ErrnoException;
    const problem = `${cause.message} (host ${hostname()}).`;
    if (SPACE_CODES.has(code)) return machineFault('DISK_FULL', `A disk is full: ${problem} Free some space there.`);
    if (!IO_CODES.has(code)) continue;
    if (isBelow(places.store, path))
      return machineFault('STORE_UNREACHABLE', `The artifact store can't be used: ${problem}`);
    if (isBelow(places.data, path))
      return machineFault('DATA_UNREADABLE', `The images can't be read: ${problem} ${SAME_PATH_RULE}`);
    return machineFault('DISK_UNUSABLE', `${problem} The cache folder is ${places.cache} (GRAFT_CACHE_DIR).`);
  }
  return null;
}

function onHost(message: string): string {
  return `${message} This happened on host ${hostname()}.`;
}

function isBelow(folder: string | null, path: string): boolean {
  if (folder === null || path === '') return false;
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
