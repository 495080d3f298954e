import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digestOf } from '../files.js';
import { labelOf, splitEmoji, splits } from './split.js';
import { extractFromArchive, findPython } from '../pip.js';

/** @typedef {import('./split.js').Split} Split */
/** @typedef {{ emoji: string, label: 'animal' | 'food', vendor: string, png: Buffer, digest: string }} Drawing */

/**
 * Writes the demo's images from the packages' files: the 64-pixel drawings of animals and of food and drink, on white.
 *
 * @param {readonly { vendor: string, path: string }[]} files
 * @param {string} folder folder to write `<split>/<label>/<codepoint>-<vendor>.png` to
 * @param {(png: Buffer) => Promise<Buffer>} onWhite composites a drawing on white and re-encodes it
 * @returns {Promise<{ split: Split, label: string, images: number, emoji: number }[]>}
 */
export async function makeDemoImages(files, folder, onWhite) {
  /** @type {Drawing[]} */
  const drawings = [];
  for (const { vendor, path } of files) drawings.push(...(await readDrawings(vendor, path, onWhite)));
  const splitOf = assignSplits(drawings);
  for (const { emoji, label, vendor, png } of drawings) {
    const path = join(folder, splitOf.get(emoji) ?? 'train', label, `${emoji}-${vendor}.png`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, png);
  }
  return splits.flatMap((split) =>
    ['animal', 'food'].map((label) => {
      const chosen = drawings.filter((one) => one.label === label && splitOf.get(one.emoji) === split);
      return { split, label, images: chosen.length, emoji: new Set(chosen.map((one) => one.emoji)).size };
    }),
  );
}

/** @param {readonly Drawing[]} drawings */
function assignSplits(drawings) {
  /** @type {Map<string, Split>} */
  const splitOf = new Map();
  for (const label of ['animal', 'food']) {
    /** @type {Map<string, string[]>} */
    const digests = new Map();
    for (const one of drawings.filter((drawing) => drawing.label === label)) {
      digests.set(one.emoji, [...(digests.get(one.emoji) ?? []), one.digest]);
    }
    for (const [emoji, split] of splitEmoji(digests)) splitOf.set(emoji, split);
  }
  return splitOf;
}

/**
 * @param {string} vendor
 * @param {string} path
 * @param {(png: Buffer) => Promise<Buffer>} onWhite
 * @returns {Promise<Drawing[]>}
 */
async function readDrawings(vendor, path, onWhite) {
  const folder = `${path}.unpacked`;
  const images = `package/img/${vendor}/64/`;
  await extractFromArchive(await findPython(), path, folder, ['package/emoji.json', images]);
  /** @type {{ image: string, subcategory: string }[]} */
  const list = JSON.parse(readFileSync(join(folder, 'package', 'emoji.json'), 'utf8'));
  const drawings = [];
  for (const { image, subcategory } of list) {
    const label = labelOf(subcategory);
    const source = join(folder, images, image);
    if (label === undefined || !existsSync(source)) continue;
    const png = await onWhite(readFileSync(source));
    drawings.push({ emoji: image.replace(/\.png$/, ''), label, vendor, png, digest: digestOf([png]) });
  }
  return drawings;
}
