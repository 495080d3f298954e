import type { QueryConfig } from 'pg';

const names = new Map<string, string>();

/**
 * A statement that each connection parses and plans once instead of at every call. For statements that are made all the time
 * and whose best plan does not depend on how many rows or elements their parameters stand for: after a few calls the server
 * keeps a plan that fits all of them.
 *
 * @param text one of a few texts that are fixed in the code; each stays in memory here and in the server.
 */
export function prepared(text: string, values: readonly unknown[]): QueryConfig {
  let name = names.get(text);
  if (name === undefined) {
    name = `graft_${names.size + 1}`;
    names.set(text, name);
  }
  return { name, text, values: [...values] };
}
