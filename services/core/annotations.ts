import { controlProblem } from './text/control-characters.ts';
import type { FieldViolation } from './sweep/sweep-spec.ts';

/** A change of what people write about a sweep or run; null leaves a field as it is. */
export interface AnnotationChange {
  readonly notes: string | null;
  readonly addTags: readonly string[];
  readonly removeTags: readonly string[];
}

/** Maximum length of a sweep's name. */
const MAX_NAME_LENGTH = 200;
const MAX_NOTES_LENGTH = 4_000;
const MAX_TAG_LENGTH = 64;
/** Maximum number of tags of one sweep or run. */
export const MAX_TAGS = 50;

/** Returns why a string can't be a new name, or null. */
export function nameProblem(name: string): string | null {
  const { length } = name.trim();
  if (length === 0) return 'must have a visible character; received none.';
  return displayNameProblem(name);
}

/** Returns why a string can't be the name in a sweep file, which may be empty, or null. */
export function displayNameProblem(name: string): string | null {
  return lengthProblem(name, MAX_NAME_LENGTH) ?? controlProblem(name);
}

function lengthProblem(text: string, max: number): string | null {
  return text.length > max ? `must have at most ${max} characters; received ${text.length}.` : null;
}

/** Returns the mistakes of a change, each with its field. */
export function annotationViolations({ notes, addTags, removeTags }: AnnotationChange): readonly FieldViolation[] {
  const violations: FieldViolation[] = [];
  if (notes !== null) {
    const problem = notesProblem(notes);
    if (problem !== null) violations.push({ field: 'notes', description: problem });
  }
  for (const [index, tag] of addTags.entries()) {
    const problem = removeTags.includes(tag) ? 'must not be among remove_tags as well.' : tagProblem(tag);
    if (problem !== null) violations.push({ field: `add_tags[${index}]`, description: problem });
  }
  return violations;
}

function notesProblem(notes: string): string | null {
  const problem = lengthProblem(notes, MAX_NOTES_LENGTH);
  return problem ?? notes.split('\n').flatMap((line) => controlProblem(line) ?? [])[0] ?? null;
}

/** Returns why a string can't be a tag, or null. Tags are separated by commas or spaces on command lines and in tables. */
export function tagProblem(tag: string): string | null {
  if (tag === '') return 'must not be empty.';
  const problem = lengthProblem(tag, MAX_TAG_LENGTH) ?? controlProblem(tag);
  if (problem !== null) return problem;
  return /[\s,]/u.test(tag) ? `must have neither spaces nor commas; received '${tag}'.` : null;
}

/** Returns the tags after a change, sorted. */
export function changedTags(tags: readonly string[], { addTags, removeTags }: AnnotationChange): readonly string[] {
  const removed = new Set(removeTags);
  return [...new Set([...tags, ...addTags])].filter((tag) => !removed.has(tag)).sort();
}
