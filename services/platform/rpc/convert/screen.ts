import { SCREEN_DEFAULTS } from '../../../core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { ScreenSpec } from '../../../../proto/gen/graft/v1/sweep.ts';

type Screen = NonNullable<SweepSpec['screen']>;

export function screenToProto(screen: Screen): ScreenSpec {
  return screen === 'off' ? { keep: 0, images: 0, off: true } : { ...screen, off: false };
}

export function screenFromProto({ keep, images, off }: ScreenSpec): Screen {
  return off ? 'off' : { keep: keep === 0 ? SCREEN_DEFAULTS.keep : keep, images };
}
