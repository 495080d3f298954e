/**
 * Returns the number of letters to insert, delete, replace or swap with their neighbour to get from one string to the other
 * (optimal string alignment distance).
 */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, at(beforePrevious, column - 2) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

/** Longest name for which a near one is searched: the time is proportional to its length, for each of the names. */
const MAX_SEARCHED_LENGTH = 64;
/** Default bound on the names that are compared; the closed tables have fewer, lists of a request may have more. */
const MAX_COMPARED_NAMES = 200;

/**
 * Returns the nearest of the names, at most a third of the letters (at least two) away; null where none is near, or the name is too
 * long for a misspelt one.
 */
export function nearestName(name: string, names: readonly string[], maxCompared = MAX_COMPARED_NAMES): string | null {
  if (name.length > MAX_SEARCHED_LENGTH) return null;
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of names.slice(0, maxCompared)) {
    const distance = nearness(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Returns the number of mistakes between two names; infinite where they are too many for a misspelling, or a name is too long. */
export function nearness(name: string, candidate: string): number {
  if (Math.max(name.length, candidate.length) > MAX_SEARCHED_LENGTH) return Infinity;
  const distance = distanceOf(name, candidate);
  return distance <= Math.max(2, Math.floor(name.length / 3)) ? distance : Infinity;
}

/** Returns ` Did you mean 'x'?` with the space before it; empty where no name is near. */
export function didYouMean(name: string, names: readonly string[], maxCompared?: number): string {
  const nearest = nearestName(name, names, maxCompared);
  return nearest === null ? '' : ` Did you mean '${nearest}'?`;
}

/** Returns the distance of two names; a missing prefix (`learning_rate` for `optimizer.learning_rate`) counts as one mistake. */
function distanceOf(name: string, candidate: string): number {
  const plain = normalize(name);
  const wanted = normalize(candidate);
  const lastPart = wanted.slice(wanted.lastIndexOf('.') + 1);
  const withoutPrefix = lastPart === wanted ? Infinity : editDistance(plain, lastPart) + 1;
  return Math.min(editDistance(plain, wanted), withoutPrefix);
}

function normalize(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
