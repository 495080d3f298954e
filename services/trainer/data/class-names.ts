import type { DatasetProblem } from '../../core/dataset.ts';
import { compareText, showName } from './file-names.ts';

/** A class, with its folder in each place (a split, or the whole data set) that has one. */
export interface FoundClass {
  /** As its folders are named; in NFC where they are spelled differently. */
  readonly name: string;
  /** Name of the folder by place. */
  readonly folders: ReadonlyMap<string, string>;
}

/**
 * Makes classes of folders. Names that Unicode holds to be the same text are one class: a Mac decomposes names (é as two
 * characters) that other systems compose, so one split often has the one spelling and one the other.
 *
 * @param foldersByPlace names of the class folders; the place is `''` or a split.
 * @returns classes sorted by name, as Keras sorts; a class's number is its place.
 */
export function matchClasses(foldersByPlace: ReadonlyMap<string, readonly string[]>): {
  readonly classes: readonly FoundClass[];
  readonly problems: readonly DatasetProblem[];
} {
  const byText = new Map<string, Map<string, string>>();
  const problems: DatasetProblem[] = [];
  for (const [place, names] of foldersByPlace) {
    for (const name of names) {
      const folders = byText.get(name.normalize('NFC')) ?? new Map<string, string>();
      byText.set(name.normalize('NFC'), folders);
      const other = folders.get(place);
      if (other === undefined) folders.set(place, name);
      else problems.push(twiceProblem(place, other, name));
    }
  }
  const classes = [...byText]
    .map(([text, folders]): FoundClass => {
      const spellings = [...new Set(folders.values())];
      if (spellings.length > 1) problems.push(spellingProblem(text, folders));
      return { name: spellings.length === 1 ? (spellings[0] ?? text) : text, folders };
    })
    .sort((a, b) => compareText(a.name, b.name));
  for (const [place, names] of foldersByPlace) problems.push(...alikeProblems(place, names));
  return { classes, problems };
}

/** Name among others that looks like one that is missing; null: none does. */
export function findAlike(name: string, others: readonly string[]): string | null {
  return others.find((other) => other !== name && lookOf(other) === lookOf(name)) ?? null;
}

/** A name with its spelling: characters beyond ASCII, blanks at the ends and such are seen. */
export function spell(name: string): string {
  const shown = showName(Buffer.from(name));
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name)) return `"${shown}"`;
  const points = Array.from(name.matchAll(/[^\x21-\x7e]/gu), ([character]) => codePoint(character));
  return `"${shown}" (${points.slice(0, 6).join(' ')}${points.length > 6 ? ' …' : ''})`;
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** What two names have in common that a person would call the same. */
function lookOf(name: string): string {
  return name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()
    .normalize('NFC');
}

function pathOf(place: string, name: string): string {
  return place === '' ? name : `${place}/${name}`;
}

function whereOf(place: string): string {
  return place === '' ? 'The data set' : `Split "${place}"`;
}

function twiceProblem(place: string, first: string, second: string): DatasetProblem {
  const message =
    `${whereOf(place)} has two folders of one class, whose name is spelled composed and decomposed in Unicode: ` +
    `${spell(first)} and ${spell(second)}. Move the images into one of them.`;
  return { code: 'SIMILAR_CLASSES', path: pathOf(place, second), message, fatal: true };
}

function spellingProblem(text: string, folders: ReadonlyMap<string, string>): DatasetProblem {
  const spellings = [...folders].map(([place, name]) => `${place}: ${spell(name)}`).join('; ');
  const message =
    `Class "${text}" is spelled composed and decomposed in Unicode (${spellings}). It is read as one class, ` +
    'named in the composed form (NFC).';
  return { code: 'SIMILAR_CLASSES', path: text, message, fatal: false };
}

/** Two classes of one place that a person would take for one; they stay two, as Keras has them. */
function alikeProblems(place: string, names: readonly string[]): readonly DatasetProblem[] {
  const first = new Map<string, string>();
  return names.flatMap((name): DatasetProblem[] => {
    const alike = first.get(lookOf(name));
    if (alike === undefined) first.set(lookOf(name), name);
    if (alike === undefined || alike.normalize('NFC') === name.normalize('NFC')) return [];
    const message =
      `${whereOf(place)} has the classes ${spell(alike)} and ${spell(name)}, which differ only in case, blanks or the form of ` +
      'their characters. They are two classes; if they should be one, move the images into one folder.';
    return [{ code: 'SIMILAR_CLASSES', path: pathOf(place, name), message, fatal: false }];
  });
}
