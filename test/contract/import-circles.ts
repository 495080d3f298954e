/**
 * Prints the circles of the import graph of `services/`: groups of files that import each other, types included.
 * Usage: node --import tsx test/contract/import-circles.ts
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Files with the files that each imports. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** Returns the import graph of the TypeScript files below `folder`; `import type` and `import()` count like any other import. */
export function readImportGraph(root: string, folder: string): ImportGraph {
  const files = readdirSync(join(root, folder), { encoding: 'utf8', recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
  const graph = new Map<string, readonly string[]>();
  for (const file of files) {
    const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'));
    const own = importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
    graph.set(
      file,
      own.map(({ fileName }) => join(dirname(file), fileName)),
    );
  }
  return graph;
}

/**
 * Returns the groups of files that all reach each other, each sorted (Tarjan's strongly connected components).
 * A file that imports itself is a group of one.
 */
export function circlesOf(graph: ImportGraph): string[][] {
  const circles: string[][] = [];
  const stack: string[] = [];
  const places = new Map<string, { readonly index: number; low: number; isOpen: boolean }>();

  function visit(file: string): { readonly index: number; low: number; isOpen: boolean } {
    const place = { index: places.size, low: places.size, isOpen: true };
    places.set(file, place);
    stack.push(file);
    for (const imported of graph.get(file) ?? []) {
      const next = places.get(imported);
      if (next === undefined) place.low = Math.min(place.low, visit(imported).low);
      else if (next.isOpen) place.low = Math.min(place.low, next.index);
    }
    if (place.low === place.index) {
      const group = stack.splice(stack.indexOf(file));
      for (const member of group) {
        const closed = places.get(member);
        if (closed) closed.isOpen = false;
      }
      if (group.length > 1 || graph.get(file)?.includes(file) === true) circles.push(group.sort());
    }
    return place;
  }

  for (const file of graph.keys()) if (!places.has(file)) visit(file);
  return circles;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const circles = circlesOf(readImportGraph(fileURLToPath(new URL('../..', import.meta.url)), 'services'));
  console.log(`${circles.length} circles of files in services/`);
  for (const circle of circles) console.log(circle.join(' ↔ '));
}
