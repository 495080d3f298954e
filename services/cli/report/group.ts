/** Returns at most `limit` of the items in their order: the first ones, and others evenly from the rest. */
export function evenlyFrom<Item>(items: readonly Item[], limit: number, first: number): readonly Item[] {
  if (items.length <= limit) return items;
  const [rest, wanted] = [items.length - first, limit - first];
  const chosen = new Set(Array.from({ length: wanted }, (_, index) => first + Math.floor((index * rest) / wanted)));
  return items.filter((_, index) => index < first || chosen.has(index));
}

/** Groups items by key, keys in the order of their first items. */
export function groupByKey<Key, Item>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
