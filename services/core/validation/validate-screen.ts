import { MAX_KEPT_CANDIDATES, MAX_PROBE_IMAGES, MIN_PROBE_IMAGES } from '../sweep/search-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { show } from '../text/show.ts';
import type { ViolationList } from './violations.ts';

/** Checks the screen of a sweep. */
export function validateScreen({ screen }: Pick<SweepSpec, 'screen'>, found: ViolationList): void {
  if (screen === undefined || screen === 'off') return;
  const { keep, images } = screen;
  if (!(Number.isInteger(keep) && keep >= 1 && keep <= MAX_KEPT_CANDIDATES)) {
    found.add('screen.keep', `must be an integer from 1 to ${MAX_KEPT_CANDIDATES}; received ${show(keep)}.`);
  }
  if (images !== 0 && !(Number.isInteger(images) && images >= MIN_PROBE_IMAGES && images <= MAX_PROBE_IMAGES)) {
    found.add(
      'screen.images',
      `must be an integer from ${MIN_PROBE_IMAGES} to ${MAX_PROBE_IMAGES}, or 0 for a number by the classes; received ${show(images)}.`,
    );
  }
}
