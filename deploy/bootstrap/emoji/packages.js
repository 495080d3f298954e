import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';
import { npmCommand } from '../npm.js';

/**
 * The npm packages with the drawings, each with the digest of its file and the licence of its images.
 *
 * @typedef {{ vendor: string, version: string, integrity: string, megabytes: number, terms: string }} EmojiPackage
 * @type {readonly EmojiPackage[]}
 */
export const emojiPackages = [
  {
    vendor: 'google',
    version: '16.0.0',
    integrity: 'sha512-ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A==',
    megabytes: 74,
    terms: 'Noto Emoji, Google: Apache-2.0',
  },
  {
    vendor: 'twitter',
    version: '16.0.0',
    integrity: 'sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ==',
    megabytes: 62,
    terms: 'Twemoji, Twitter: CC-BY-4.0',
  },
  {
    vendor: 'facebook',
    version: '16.0.0',
    integrity: 'sha512-b9ZxJdB7nMWGckH1vyCjPSosaa6MJYuojPPFiQ0LmDIZS8vlG454XKcmTFKrXIMAA72O4MRJMYFhvWI8pjyciQ==',
    megabytes: 103,
    terms: 'copyright Facebook, not under a free licence: for trying Graft on this machine, not for passing on',
  },
];

/**
 * Downloads the packages with npm into a new folder and checks their digests.
 *
 * @param {import('../step.js').StepContext} context
 * @returns {Promise<{ files: { vendor: string, path: string }[], remove(): void }>}
 * @throws {SetupError}
 */
export async function downloadEmojiPackages(context) {
  const scratch = join(context.paths.cacheDir, 'scratch');
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(join(scratch, 'emoji-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const files = await Promise.all(
      emojiPackages.map((one) => downloadPackage(context, one, join(folder, one.vendor))),
    );
    return { files, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * @param {import('../step.js').StepContext} context
 * @param {EmojiPackage} wanted
 * @param {string} folder
 */
async function downloadPackage(context, { vendor, version, integrity }, folder) {
  const name = `emoji-datasource-${vendor}@${version}`;
  mkdirSync(folder);
  const [program, ...first] = npmCommand(context.env);
  const args = [...first, 'pack', name, '--pack-destination', folder, '--ignore-scripts', '--loglevel=error'];
  // A temporary cache, since npm would keep another 240 MB.
  const result = await runProgram(program, [...args, '--cache', join(folder, 'npm-cache')], {
    cwd: context.root,
    env: context.env,
  });
  const file = readdirSync(folder).find((entry) => entry.endsWith('.tgz'));
  if (result.code !== 0 || file === undefined) {
    throw new SetupError(
      `npm could not download ${name}.`,
      'Check the network and the registry in the npm settings (npm config list), or use your own images:\n' +
        'npm run demo -- --data DIR',
      { output: lastLines(result) },
    );
  }
  const path = join(folder, file);
  const found = `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`;
  if (found === integrity) return { vendor, path };
  throw new SetupError(
    `${name} has the digest ${found} instead of ${integrity}.`,
    'The registry offers another file than this version of Graft was made with. Check the registry in the npm settings.',
  );
}
