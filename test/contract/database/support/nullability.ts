import { isNode, nodeOf, nodesOf, numberOf, textOf } from './query-tree.ts';
import type { TreeNode } from './query-tree.ts';

/** The catalogs that the analysis needs, by object identifier. */
export interface Catalog {
  /** Columns that are NOT NULL, as `table.attribute number`. */
  readonly notNullColumns: ReadonlySet<string>;
  /** Queries of the views. */
  readonly views: ReadonlyMap<number, TreeNode>;
  readonly functionNames: ReadonlyMap<number, string>;
}

/** A column of a statement's result. */
export interface OutputColumn {
  readonly name: string;
  /** true if provably never null. */
  readonly isNotNull: boolean;
  /** Table column that it returns unchanged, as `table.attribute number`. */
  readonly origin: string | null;
}

interface Scope {
  readonly query: TreeNode;
  readonly parent: Scope | null;
  /** Columns that a row must have for the WHERE clause to be true, as `range table index.attribute number`. */
  readonly proven: ReadonlySet<string>;
}

/** `rtekind` of RangeTblEntry. */
const RELATION = 0;
const SUBQUERY = 1;
const FUNCTION = 3;
const VALUES = 5;
const CTE = 6;
const GROUP = 9;
/** `commandType` of Query. */
const SELECT = 1;
const UPDATE = 2;
/** `jointype` of JoinExpr. */
const INNER_JOIN = 0;
const LEFT_JOIN = 1;
const RIGHT_JOIN = 3;
/** `subLinkType` of SubLink. */
const EXISTS_SUBLINK = 0;
const EXPRESSION_SUBLINK = 4;
const ARRAY_SUBLINK = 6;
/** `frameOptions` of a window without a frame clause: FRAMEOPTION_DEFAULTS. */
const DEFAULT_FRAME = '1058';

/** Functions that are never null. */
const NEVER_NULL = new Set([
  'now',
  'clock_timestamp',
  'count',
  'row_number',
  'json_build_object',
  'current_database',
  'pg_is_in_recovery',
]);

/** Functions, also those behind operators and casts, that are null only where an argument is. */
const NULL_OF_ARGUMENTS =
  /^(text|varchar|bpchar|bool|int[248]+|float[48]+|numeric|textcat|text(eq|ne|like|regex.*)|(int|float)\d+(pl|mi|mul|div|eq|ne|lt|le|gt|ge)|numeric_(add|sub|mul|div)|timestamptz_\w+|floor|ceil|round|abs|upper|lower|to_jsonb?|to_timestamp|extract|interval_\w+|bool(eq|ne)|quote_ident|jsonb_typeof)$/;

/** Aggregates that are null only for no rows or for null values. */
const NULL_OF_NO_ROWS = /^(min|max|sum|avg|array_agg|json_agg|jsonb_agg|bool_and|bool_or|string_agg)$/;

/**
 * Determines for each column of a statement's result whether it may be null. A column counts as not null only if that
 * follows from the analysed query: a NOT NULL column of a table that no outer join makes null, a column that the WHERE
 * clause or an inner join's condition can't accept as null, a literal, `coalesce` with such an expression, `count` and
 * the like. Views and subqueries are followed. Parameters, set-returning functions, `->`, `->>` and functions that
 * aren't listed here may be null.
 */
export class Nullability {
  readonly #catalog: Catalog;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  columnsOf(query: TreeNode): readonly OutputColumn[] {
    return this.#columns(this.#scope(query, null));
  }

  #scope(query: TreeNode, parent: Scope | null): Scope {
    const proven = new Set<string>();
    const tree = query.fields['jointree'];
    if (isNode(tree)) this.#prove(tree, proven);
    if (numberOf(query, 'commandType') === UPDATE) {
      // RETURNING returns the new values.
      for (const target of nodesOf(query, 'targetList')) {
        proven.delete(`${numberOf(query, 'resultRelation')}.${numberOf(target, 'resno')}`);
      }
    }
    return { query, parent, proven };
  }

  #prove(node: TreeNode, proven: Set<string>): void {
    if (node.type === 'FROMEXPR') {
      for (const item of nodesOf(node, 'fromlist')) this.#prove(item, proven);
      this.#proveCondition(node.fields['quals'], proven);
    }
    if (node.type !== 'JOINEXPR') return;
    const type = numberOf(node, 'jointype');
    if (type === INNER_JOIN || type === LEFT_JOIN) this.#prove(nodeOf(node, 'larg'), proven);
    if (type === INNER_JOIN || type === RIGHT_JOIN) this.#prove(nodeOf(node, 'rarg'), proven);
    if (type === INNER_JOIN) this.#proveCondition(node.fields['quals'], proven);
  }

  /** A comparison is never true if one of its sides is null. */
  #proveCondition(condition: TreeNode['fields'][string] | undefined, proven: Set<string>): void {
    if (!isNode(condition)) return;
    const { type, fields } = condition;
    if (type === 'BOOLEXPR' && fields['boolop'] === 'and') {
      for (const part of nodesOf(condition, 'args')) this.#proveCondition(part, proven);
    }
    for (const operand of this.#neverNullOperands(condition)) {
      const inner = operand.type === 'RELABELTYPE' ? nodeOf(operand, 'arg') : operand;
      if (inner.type === 'VAR' && inner.fields['varlevelsup'] === '0') proven.add(keyOf(inner));
    }
  }

  #neverNullOperands(condition: TreeNode): readonly TreeNode[] {
    const { type, fields } = condition;
    if (type === 'NULLTEST') return fields['nulltesttype'] === '1' ? [nodeOf(condition, 'arg')] : [];
    // `<> ALL` of an empty array is true of null.
    const isComparison = type === 'OPEXPR' || (type === 'SCALARARRAYOPEXPR' && fields['useOr'] === 'true');
    return isComparison && this.#isNullOfArguments(numberOf(condition, 'opfuncid')) ? nodesOf(condition, 'args') : [];
  }

  #isNullOfArguments(functionId: number): boolean {
    return NULL_OF_ARGUMENTS.test(this.#catalog.functionNames.get(functionId) ?? '');
  }

  #columns(scope: Scope): readonly OutputColumn[] {
    const { query } = scope;
    const targets = nodesOf(query, numberOf(query, 'commandType') === SELECT ? 'targetList' : 'returningList');
    const own = targets
      .filter(({ fields }) => fields['resjunk'] === 'false')
      .map((target) => ({
        name: textOf(target, 'resname'),
        isNotNull: this.#isNotNull(nodeOf(target, 'expr'), scope),
        origin: this.#originOf(nodeOf(target, 'expr'), scope),
      }));
    if (!isNode(query.fields['setOperations'])) return own;
    // The target list shows the first part only.
    const parts = partsOf(query.fields['setOperations']).map((index) =>
      this.#columns(this.#scope(nodeOf(entryOf(query, index), 'subquery'), scope)),
    );
    return own.map(({ name }, place) => ({
      name,
      isNotNull: parts.every((part) => part[place]?.isNotNull === true),
      origin: null,
    }));
  }

  #isNotNull(expression: TreeNode, scope: Scope): boolean {
    const { fields } = expression;
    const inner = (field: string): boolean => this.#isNotNull(nodeOf(expression, field), scope);
    switch (expression.type) {
      case 'VAR':
        return this.#isVariableNotNull(expression, scope);
      case 'CONST':
        return fields['constisnull'] === 'false';
      case 'NULLTEST':
      case 'BOOLEANTEST':
      case 'DISTINCTEXPR':
      case 'ARRAYEXPR':
      case 'ROWEXPR':
      case 'SQLVALUEFUNCTION':
        return true;
      case 'COALESCEEXPR':
      case 'MINMAXEXPR':
        return nodesOf(expression, 'args').some((part) => this.#isNotNull(part, scope));
      case 'BOOLEXPR':
        return nodesOf(expression, 'args').every((part) => this.#isNotNull(part, scope));
      case 'CASEEXPR':
        return (
          isNode(fields['defresult']) &&
          inner('defresult') &&
          nodesOf(expression, 'args').every((when) => this.#isNotNull(nodeOf(when, 'result'), scope))
        );
      case 'RELABELTYPE':
      case 'COERCEVIAIO':
      case 'ARRAYCOERCEEXPR':
        return inner('arg');
      case 'FUNCEXPR':
        return this.#isCallNotNull(numberOf(expression, 'funcid'), expression, scope);
      case 'OPEXPR':
      case 'SCALARARRAYOPEXPR':
        return this.#isCallNotNull(numberOf(expression, 'opfuncid'), expression, scope);
      case 'WINDOWFUNC':
        return this.#isWindowNotNull(expression, scope);
      case 'AGGREF':
        return this.#isAggregateNotNull(expression, scope);
      case 'SUBLINK':
        return this.#isSublinkNotNull(expression, scope);
      default:
        return false;
    }
  }

  #isCallNotNull(functionId: number, call: TreeNode, scope: Scope): boolean {
    const name = this.#catalog.functionNames.get(functionId) ?? '';
    const values = nodesOf(call, 'args');
    // With a second argument it is null for a setting that does not exist.
    if (NEVER_NULL.has(name) || (name === 'current_setting' && values.length === 1)) return true;
    if (!NULL_OF_ARGUMENTS.test(name) || !values.every((value) => this.#isNotNull(value, scope))) return false;
    // `= ANY` of an array with a null in it may be null.
    if (call.type !== 'SCALARARRAYOPEXPR') return true;
    const [, array] = values;
    return array?.type === 'ARRAYEXPR' && nodesOf(array, 'elements').every((value) => this.#isNotNull(value, scope));
  }

  #isWindowNotNull(call: TreeNode, scope: Scope): boolean {
    const name = this.#catalog.functionNames.get(numberOf(call, 'winfnoid')) ?? '';
    if (NEVER_NULL.has(name)) return true;
    const window = nodesOf(scope.query, 'windowClause')[numberOf(call, 'winref') - 1];
    // The default frame of SQL contains the row itself.
    const hasRows = window?.fields['frameOptions'] === DEFAULT_FRAME && call.fields['aggfilter'] === null;
    return (
      hasRows && NULL_OF_NO_ROWS.test(name) && nodesOf(call, 'args').every((value) => this.#isNotNull(value, scope))
    );
  }

  #isAggregateNotNull(aggregate: TreeNode, scope: Scope): boolean {
    const name = this.#catalog.functionNames.get(numberOf(aggregate, 'aggfnoid')) ?? '';
    if (NEVER_NULL.has(name)) return true;
    const hasRows = nodesOf(scope.query, 'groupClause').length > 0 && nodesOf(scope.query, 'groupingSets').length === 0;
    if (!hasRows || isNode(aggregate.fields['aggfilter']) || !NULL_OF_NO_ROWS.test(name)) return false;
    // Aggregates that build a list include nulls.
    if (name.endsWith('_agg') && name !== 'string_agg') return true;
    return nodesOf(aggregate, 'args').every((argument) => this.#isNotNull(nodeOf(argument, 'expr'), scope));
  }

  #isSublinkNotNull(sublink: TreeNode, scope: Scope): boolean {
    const type = numberOf(sublink, 'subLinkType');
    if (type === EXISTS_SUBLINK || type === ARRAY_SUBLINK) return true;
    if (type !== EXPRESSION_SUBLINK) return false;
    const query = nodeOf(sublink, 'subselect');
    const isOneRow =
      query.fields['hasAggs'] === 'true' &&
      nodesOf(query, 'groupClause').length === 0 &&
      query.fields['havingQual'] === null &&
      query.fields['limitCount'] === null &&
      query.fields['limitOffset'] === null;
    return isOneRow && this.#columns(this.#scope(query, scope))[0]?.isNotNull === true;
  }

  #isVariableNotNull(variable: TreeNode, from: Scope): boolean {
    const scope = outwards(from, numberOf(variable, 'varlevelsup'));
    if (scope.proven.has(keyOf(variable))) return true;
    const nulledBy = variable.fields['varnullingrels'];
    if (!Array.isArray(nulledBy)) throw new Error('Nullability needs PostgreSQL 16 or later.');
    // ['b']: by none.
    if (nulledBy.length > 1) return false;
    const entry = entryOf(scope.query, numberOf(variable, 'varno'));
    const number = numberOf(variable, 'varattno');
    switch (numberOf(entry, 'rtekind')) {
      case RELATION:
        return this.#isColumnNotNull(numberOf(entry, 'relid'), number);
      case VALUES:
        return (entry.fields['values_lists'] as readonly (readonly TreeNode[])[]).every((row) => {
          const value = row[number - 1];
          return value !== undefined && this.#isNotNull(value, scope);
        });
      case FUNCTION:
        return isOrdinality(entry, number);
      case GROUP: {
        const expression = nodesOf(entry, 'groupexprs')[number - 1];
        return expression !== undefined && this.#isNotNull(expression, scope);
      }
      default:
        return this.#rowsOf(entry, scope)?.[number - 1]?.isNotNull ?? false;
    }
  }

  #isColumnNotNull(table: number, number: number): boolean {
    const view = this.#catalog.views.get(table);
    if (view === undefined) return this.#catalog.notNullColumns.has(`${table}.${number}`);
    return this.#columns(this.#scope(view, null))[number - 1]?.isNotNull ?? false;
  }

  /** Returns the columns of a subquery or a common table expression; null for anything else. */
  #rowsOf(entry: TreeNode, scope: Scope): readonly OutputColumn[] | null {
    const kind = numberOf(entry, 'rtekind');
    if (kind === SUBQUERY) return this.#columns(this.#scope(nodeOf(entry, 'subquery'), scope));
    if (kind !== CTE || entry.fields['self_reference'] === 'true') return null;
    const owner = outwards(scope, numberOf(entry, 'ctelevelsup'));
    const cte = nodesOf(owner.query, 'cteList').find(({ fields }) => fields['ctename'] === entry.fields['ctename']);
    return cte === undefined ? null : this.#columns(this.#scope(nodeOf(cte, 'ctequery'), owner));
  }

  #originOf(expression: TreeNode, from: Scope): string | null {
    if (expression.type !== 'VAR') return null;
    const scope = outwards(from, numberOf(expression, 'varlevelsup'));
    const entry = entryOf(scope.query, numberOf(expression, 'varno'));
    const number = numberOf(expression, 'varattno');
    const kind = numberOf(entry, 'rtekind');
    if (kind === GROUP) {
      const grouped = nodesOf(entry, 'groupexprs')[number - 1];
      return grouped === undefined ? null : this.#originOf(grouped, scope);
    }
    if (kind !== RELATION) return this.#rowsOf(entry, scope)?.[number - 1]?.origin ?? null;
    const view = this.#catalog.views.get(numberOf(entry, 'relid'));
    if (view === undefined) return `${numberOf(entry, 'relid')}.${number}`;
    return this.#columns(this.#scope(view, null))[number - 1]?.origin ?? null;
  }
}

function outwards(scope: Scope, levels: number): Scope {
  if (levels === 0) return scope;
  if (scope.parent === null) throw new Error('A variable of no query.');
  return outwards(scope.parent, levels - 1);
}

function entryOf(query: TreeNode, index: number): TreeNode {
  const entry = nodesOf(query, 'rtable')[index - 1];
  if (entry === undefined) throw new Error(`No entry ${index} in the range table.`);
  return entry;
}

function keyOf(variable: TreeNode): string {
  return `${numberOf(variable, 'varno')}.${numberOf(variable, 'varattno')}`;
}

/** Returns the range table indexes of the parts of a UNION. */
function partsOf(node: TreeNode): readonly number[] {
  if (node.type === 'RANGETBLREF') return [numberOf(node, 'rtindex')];
  return [...partsOf(nodeOf(node, 'larg')), ...partsOf(nodeOf(node, 'rarg'))];
}

function isOrdinality(entry: TreeNode, number: number): boolean {
  const count = nodesOf(entry, 'functions').reduce((sum, item) => sum + numberOf(item, 'funccolcount'), 0);
  return entry.fields['funcordinality'] === 'true' && number === count + 1;
}
