import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from './read-config.ts';

/**
 * Returns the version of this Graft, from the nearest package.json upwards: sources and built files lie at different depths.
 *
 * @throws ConfigError when there is none.
 */
export function readVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    if (existsSync(path)) {
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version?: string };
      if (version !== undefined) return version;
    }
    if (folder === dirname(folder)) throw new ConfigError(['package.json: not found above Graft; reinstall Graft.']);
  }
}
