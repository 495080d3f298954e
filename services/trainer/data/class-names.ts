import type { DatasetProblem } from '../../core/dataset.ts';
import { compareText, showName } from './file-names.ts';

/** A class with its folder in each place (a split, or the whole data set) that contains one. */
export interface FoundClass {
  /** Name of the folders; the NFC form if their spellings differ. */
  readonly name: string;
  /** Folder name by place. */
  readonly folders: ReadonlyMap<string, string>;
}

/**
 * Groups folders into classes. Canonically equivalent Unicode names are one class: macOS decomposes characters (é as
 * two code points) that other systems compose, so splits often differ in spelling.
 *
 * @param foldersByPlace names of the class folders; the place is `''` or a split.
 * @returns classes sorted by name, as Keras sorts; a class's label is its index.
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

/** Returns the name among `others` that is confusable with a missing one; null if there is none. */
export function findAlike(name: string, others: readonly string[]): string | null {
  return others.find((other) => other !== name && lookOf(other) === lookOf(name)) ?? null;
}

/** Quotes a name so that non-ASCII characters and leading or trailing blanks are visible. */
export function spell(name: string): string {
  const shown = showName(Buffer.from(name));
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name)) return `"${shown}"`;
  const points = Array.from(name.matchAll(/[^\x21-\x7e]/gu), ([character]) => codePoint(character));
  return `"${shown}" (${points.slice(0, 6).join(' ')}${points.length > 6 ? ' …' : ''})`;
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Returns a key that is equal for names a person would read as the same. */
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

/** Reports pairs of confusable classes in one place. They remain two classes, as in Keras. */
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
