import { digestOf } from '../files.js';

export const splits = /** @type {const} */ (['train', 'validation', 'test']);

/** @typedef {typeof splits[number]} Split */

const SHARES = { train: 0.6, validation: 0.2 };

/**
 * Returns the class of an emoji: animal, or food and drink; undefined for all others.
 *
 * @param {string} subcategory Unicode subcategory, such as animal-bird
 * @returns {'animal' | 'food' | undefined}
 */
export function labelOf(subcategory) {
  if (subcategory.startsWith('animal-')) return 'animal';
  return subcategory.startsWith('food-') || subcategory === 'drink' ? 'food' : undefined;
}

/**
 * Assigns each emoji of one class to a split, in the order of its name's digest: the first 60 % to training, the next 20 % to
 * validation, the rest to testing. Emoji that share a drawing (equal digests) follow the first of them, so that no drawing is in two
 * splits.
 *
 * @param {ReadonlyMap<string, readonly string[]>} drawings emoji → digests of its drawings
 * @returns {Map<string, Split>}
 */
export function splitEmoji(drawings) {
  const order = [...drawings.keys()].sort((a, b) => (digestOf([a]) < digestOf([b]) ? -1 : 1));
  const groups = groupByDrawing(order, drawings);
  /** @type {Map<string, Split>} */
  const result = new Map();
  for (const group of groups) {
    const share = result.size / order.length;
    const split = share < SHARES.train ? 'train' : share < SHARES.train + SHARES.validation ? 'validation' : 'test';
    for (const emoji of group) result.set(emoji, split);
  }
  return result;
}

/**
 * @param {readonly string[]} order
 * @param {ReadonlyMap<string, readonly string[]>} drawings
 * @returns {string[][]} in the order of their first members
 */
function groupByDrawing(order, drawings) {
  /** @type {string[][]} */
  let groups = [];
  /** @type {Map<string, string[]>} */
  const owner = new Map();
  for (const emoji of order) {
    const digests = drawings.get(emoji) ?? [];
    const touching = groups.filter((group) => digests.some((digest) => owner.get(digest) === group));
    const merged = [...touching.flat(), emoji];
    if (touching.length === 0) groups.push(merged);
    else
      groups = groups
        .filter((group) => !touching.includes(group) || group === touching[0])
        .map((group) => (group === touching[0] ? merged : group));
    for (const member of merged) for (const digest of drawings.get(member) ?? []) owner.set(digest, merged);
  }
  return groups;
}
