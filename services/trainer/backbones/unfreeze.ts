import type { LayerInfo } from '../../core/task.ts';

/** The `unfreeze` parameter names nothing that this base has. */
export class UnfreezeError extends Error {
  override readonly name = 'UnfreezeError';
  readonly unfreeze: string;

  constructor(message: string, unfreeze: string) {
    super(message);
    this.unfreeze = unfreeze;
  }
}

/**
 * The lowest layer that fine-tuning trains.
 *
 * @param layers of the base, in order.
 * @param unfreeze a number of last layers ("4"), a layer's name (it and all above), a block's name, `last_block` or `all`.
 * @param cut the layer the base ends with (null: its last one); only layers up to it count.
 * @throws UnfreezeError
 */
export function resolveUnfreeze(layers: readonly LayerInfo[], unfreeze: string, cut: string | null): string {
  const end = cut === null ? layers.length : layers.findIndex(({ name }) => name === cut) + 1;
  const used = layers.slice(0, end);
  const last = used.at(-1);
  if (last === undefined) throw new UnfreezeError(`The base has no layer "${cut ?? ''}".`, unfreeze);
  const lowest = lowestLayer(used, last, unfreeze);
  if (lowest !== undefined) return lowest.name;
  const blocks = [...new Set(used.map(({ block }) => block))];
  throw new UnfreezeError(
    `unfreeze "${unfreeze}" is neither a number of last layers (1 to ${used.length}), a layer, "last_block", "all" nor a ` +
      `block of the base; its blocks are ${blocks.join(', ')}.`,
    unfreeze,
  );
}

function lowestLayer(used: readonly LayerInfo[], last: LayerInfo, unfreeze: string): LayerInfo | undefined {
  if (unfreeze === 'all') return used[0];
  if (unfreeze === 'last_block') return used.find(({ block }) => block === last.block);
  if (/^\d+$/.test(unfreeze)) {
    const count = Number(unfreeze);
    return count >= 1 && count <= used.length ? used[used.length - count] : undefined;
  }
  return used.find(({ name }) => name === unfreeze) ?? used.find(({ block }) => block === unfreeze);
}
