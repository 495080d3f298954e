import type { QueryConfig } from 'pg';

const names = new Map<string, string>();

/**
 * Returns a statement that each connection parses and plans once instead of at every call. Suitable for frequent
 * statements whose best plan does not depend on the number of rows or elements in their parameters: after a few calls
 * the server keeps a generic plan.
 *
 * @param text one of a few constant statements; each stays in memory here and in the server.
 */
export function prepared(text: string, values: readonly unknown[]): QueryConfig {
  let name = names.get(text);
  if (name === undefined) {
    name = `graft_${names.size + 1}`;
    names.set(text, name);
  }
  return { name, text, values: [...values] };
}
