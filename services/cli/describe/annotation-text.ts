import type { SweepRecord } from '../../core/records/sweep.ts';

/** Returns the tags and notes that there are, as facts. */
export function annotationFacts({
  tags,
  notes,
}: Pick<SweepRecord, 'tags' | 'notes'>): readonly (readonly [string, string])[] {
  return [
    ...(tags.length === 0 ? [] : [['tags', tags.join(', ')] as const]),
    ...(notes === '' ? [] : [['notes', notes] as const]),
  ];
}
