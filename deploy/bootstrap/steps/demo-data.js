import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { downloadEmojiPackages, emojiPackages } from '../emoji/packages.js';
import { makeDemoImages } from '../emoji/demo-images.js';
import { buildFolder, digestOf, readTextIfThere } from '../files.js';

/** Version of the images; raise it when the same packages yield other images. */
const RECIPE = 1;

/** @type {import('../step.js').Step} */
export const demoData = {
  title: 'Demo images (emoji: animals against food)',
  async run(context) {
    const folder = join(context.paths.cacheDir, 'data', 'emoji-animal-food');
    const madeFrom = digestOf([`recipe ${RECIPE}`, ...emojiPackages.map(({ integrity }) => integrity)]);
    const known = readManifest(folder);
    if (known?.made_from === madeFrom) return `ready (${describe(known.counts)} in ${folder})`;
    const megabytes = emojiPackages.reduce((sum, one) => sum + one.megabytes, 0);
    context.requireFreeSpace(megabytes * 3, 'the demo images');
    context.say(
      `downloading ${emojiPackages.map(({ vendor }) => `emoji-datasource-${vendor}`).join(', ')} (${megabytes} MB) with npm`,
    );
    const { files, remove } = await downloadEmojiPackages(context);
    try {
      rmSync(folder, { recursive: true, force: true });
      const counts = await buildFolder(folder, async (temporary) => {
        const made = await makeDemoImages(files, temporary, loadCompositor(context.root));
        writeFileSync(join(temporary, 'manifest.json'), `${JSON.stringify(manifest(madeFrom, made), null, 2)}\n`);
        return made;
      });
      return `made (${describe(counts)} in ${folder})`;
    } finally {
      remove();
    }
  },
};

/** @typedef {{ split: string, label: string, images: number, emoji: number }[]} Counts */

/**
 * @param {string} madeFrom
 * @param {Counts} counts
 */
function manifest(madeFrom, counts) {
  return {
    description:
      'Emoji of animals against emoji of food and drink, 64 pixels, on white; all drawings of an emoji are in one split.',
    made_from: madeFrom,
    counts,
    sources: emojiPackages.map(({ vendor, version, integrity, terms }) => ({
      package: `emoji-datasource-${vendor}`,
      version,
      integrity,
      images: terms,
    })),
  };
}

/**
 * @param {string} folder
 * @returns {{ made_from: string, counts: Counts } | undefined}
 */
function readManifest(folder) {
  const text = readTextIfThere(join(folder, 'manifest.json'));
  return text === undefined ? undefined : JSON.parse(text);
}

/** @param {Counts} counts */
function describe(counts) {
  const of = (/** @type {string} */ split) =>
    counts.filter((one) => one.split === split).reduce((sum, one) => sum + one.images, 0);
  return `${of('train')} / ${of('validation')} / ${of('test')} images`;
}

/**
 * @param {string} root
 * @returns {(png: Buffer) => Promise<Buffer>}
 */
function loadCompositor(root) {
  // Imported late: sharp is in node_modules, which an earlier step may have just installed.
  const sharp = createRequire(join(root, 'package.json'))('sharp');
  return (png) => sharp(png).flatten({ background: '#ffffff' }).png().toBuffer();
}
