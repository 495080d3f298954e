/** A node of PostgreSQL's analysed query tree, as `pg_node_tree` spells it: `{VAR :varno 1 :varattno 2 …}`. */
export interface TreeNode {
  readonly type: string;
  readonly fields: Readonly<Record<string, TreeValue>>;
}

/** Numbers, booleans and names stay strings; `<>` (no value) is null. */
export type TreeValue = TreeNode | string | null | readonly TreeValue[];

const TOKEN = /[{}()]|\[[^\]]*\]|"(?:\\.|[^"\\])*"|(?:\\.|[^\s{}()\\])+/g;

/** Parses the text of a `pg_node_tree`. */
export function parseTree(text: string): TreeValue {
  const tokens = text.match(TOKEN) ?? [];
  let place = 0;
  const next = (): string => tokens[place++] ?? '';

  const parseValue = (token: string): TreeValue => {
    if (token === '<>') return null;
    if (token === '{') return parseNode();
    if (token !== '(') return token.startsWith('"') ? token.slice(1, -1) : token.replaceAll(/\\(.)/g, '$1');
    const items: TreeValue[] = [];
    for (let item = next(); item !== ')'; item = next()) items.push(parseValue(item));
    return items;
  };

  const parseNode = (): TreeNode => {
    const type = next();
    const fields: Record<string, TreeValue> = {};
    for (let name = next(); name !== '}'; name = next()) {
      fields[name.slice(1)] = parseValue(next());
      // A datum consists of a length and its bytes.
      while (!/^[:}]/.test(tokens[place] ?? '}')) next();
    }
    return { type, fields };
  };

  return parseValue(next());
}

/** Returns a field as a node; throws if it is something else. */
export function nodeOf(node: TreeNode, field: string): TreeNode {
  const value = node.fields[field];
  if (!isNode(value)) throw new Error(`${node.type}.${field} is no node.`);
  return value;
}

/** Returns a field as a list of nodes; empty if it has no value. */
export function nodesOf(node: TreeNode, field: string): readonly TreeNode[] {
  const value = node.fields[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** Returns a field as spelt; empty if it has no value. */
export function textOf(node: TreeNode, field: string): string {
  const value = node.fields[field];
  return typeof value === 'string' ? value : '';
}

export function numberOf(node: TreeNode, field: string): number {
  return Number(node.fields[field]);
}

export function isNode(value: TreeValue | undefined): value is TreeNode {
  return typeof value === 'object' && value !== null && 'type' in value;
}
