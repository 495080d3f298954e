import { SCREEN_DEFAULTS } from '../../core/sweep/search-spec.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { show } from '../../core/text/show.ts';
import { isMapping, pathOf } from './shape-reader.ts';
import type { ShapeReader } from './shape-reader.ts';
import { SCREEN_KEYS } from './sweep-shape.ts';

/** Reads the screen: `off`, or a mapping. YAML 1.1 reads `off` as false, which means the same here. */
export function readScreen(value: unknown, reader: ShapeReader): NonNullable<SweepSpec['screen']> {
  if (value === 'off' || value === false) return 'off';
  if (value !== null && !isMapping(value)) {
    reader.fail('screen', `must be off or a mapping, for example { keep: 4 }; received ${show(value)}.`);
    return SCREEN_DEFAULTS;
  }
  const screen = reader.mapping(value ?? {}, 'screen', SCREEN_KEYS) ?? {};
  const read = (key: (typeof SCREEN_KEYS)[number]): number =>
    reader.integer(screen[key], pathOf('screen', key)) ?? SCREEN_DEFAULTS[key];
  return { keep: read('keep'), images: read('images') };
}
