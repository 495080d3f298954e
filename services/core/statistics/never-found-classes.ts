import type { ClassScores } from './confusion-matrix.ts';

/** Returns the classes with images of which none was predicted correctly. */
export function neverFoundClasses<Result extends Pick<ClassScores, 'recall' | 'support'>>(
  classResults: readonly Result[],
): readonly Result[] {
  return classResults.filter(({ recall, support }) => support > 0 && recall === 0);
}
