import ts from 'typescript';
import { TextEvaluator, UnresolvedError } from './evaluate-text.ts';
import { claimedRow } from './row-claims.ts';
import type { ClaimedColumn } from './row-claims.ts';
import { calledName, nameOf, placeOf, symbolOf } from './syntax.ts';

/** A place in the code that sends SQL. */
export interface Statement {
  /** Location as `path:line`. */
  readonly place: string;
  /** All strings that it may send. */
  readonly texts: readonly string[];
  /** Columns that the code claims; null if it claims none. */
  readonly row: readonly ClaimedColumn[] | null;
}

export interface Findings {
  readonly statements: readonly Statement[];
  /** Locations whose SQL can't be determined from the code, each with the reason. */
  readonly unresolved: readonly string[];
}

/** A function of ours that forwards SQL: its callers are the locations that count. */
interface Forwarder {
  readonly declaration: ts.SignatureDeclaration;
  readonly parameter: number;
}

/** A call, or a `QueryConfig` of `pg`, with the expression of its SQL. */
interface Site {
  readonly node: ts.CallExpression | ts.ObjectLiteralExpression;
  readonly text: ts.Expression;
}

/** Methods of `pg` and Prisma that send a statement. */
const SENDERS: readonly string[] = ['query', '$queryRawUnsafe', '$executeRawUnsafe'];

const SQL_BEGINNING = /^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s/;

/**
 * Finds every statement that a program's own files send through `pg` or as raw SQL of Prisma. A string that starts like
 * SQL and belongs to no statement is reported too, so that none is missed because of the way in which it is sent.
 */
export async function findStatements(program: ts.Program, isWanted: (path: string) => boolean): Promise<Findings> {
  return new Finder(program, isWanted).find();
}

class Finder {
  readonly #checker: ts.TypeChecker;
  readonly #evaluator: TextEvaluator;
  readonly #isWanted: (node: ts.Node) => boolean;
  /** Calls by the name of the called function. */
  readonly #calls = new Map<string, ts.CallExpression[]>();
  readonly #objects: ts.ObjectLiteralExpression[] = [];
  readonly #tagged: ts.TaggedTemplateExpression[] = [];
  readonly #sqlStrings: ts.LiteralLikeNode[] = [];
  readonly #forwarders: Forwarder[] = [];

  constructor(program: ts.Program, isWanted: (path: string) => boolean) {
    this.#checker = program.getTypeChecker();
    this.#evaluator = new TextEvaluator(this.#checker, (name) => this.#calls.get(name) ?? []);
    this.#isWanted = (node) => isWanted(node.getSourceFile().fileName);
    for (const file of program.getSourceFiles()) if (!file.fileName.includes('/node_modules/')) this.#collect(file);
  }

  #collect(node: ts.Node): void {
    if (ts.isCallExpression(node)) {
      const name = calledName(node);
      this.#calls.set(name, [...(this.#calls.get(name) ?? []), node]);
    }
    if (ts.isObjectLiteralExpression(node) && textProperty(node) !== undefined) this.#objects.push(node);
    if (ts.isTaggedTemplateExpression(node)) this.#tagged.push(node);
    const isString = ts.isStringLiteralLike(node) || ts.isTemplateHead(node);
    if (isString && SQL_BEGINNING.test(node.text)) this.#sqlStrings.push(node);
    ts.forEachChild(node, (child) => this.#collect(child));
  }

  async find(): Promise<Findings> {
    while (this.#findForwarders());
    const statements: Statement[] = [];
    const unresolved: string[] = [];
    for (const { node, text } of this.#sites()) {
      if (!this.#isWanted(node) || this.#forwarderOf(node, text) !== null) continue;
      try {
        const texts = await this.#evaluator.evaluate(text);
        const row = ts.isCallExpression(node) ? claimedRow(this.#checker, node) : null;
        statements.push({ place: placeOf(node), texts, row });
      } catch (error) {
        if (!(error instanceof UnresolvedError)) throw error;
        unresolved.push(`${placeOf(node)}: ${error.message}`);
      }
    }
    for (const node of this.#tagged) {
      if (!this.#isWanted(node) || !isRawTag(node.tag)) continue;
      statements.push({ place: placeOf(node), texts: [parameterized(node.template)], row: null });
    }
    const texts = statements.flatMap((statement) => statement.texts);
    for (const node of this.#sqlStrings) {
      if (!this.#isWanted(node) || texts.some((text) => text.includes(node.text))) continue;
      unresolved.push(`${placeOf(node)}: sent by no known call: ${node.text.trim().slice(0, 40)}`);
    }
    return { statements, unresolved };
  }

  #sites(): readonly Site[] {
    const names = new Set([...SENDERS, ...this.#forwarders.map(({ declaration }) => nameOf(declaration))]);
    const passed = new Set<ts.Node>();
    const calls = [...names]
      .flatMap((name) => this.#calls.get(name) ?? [])
      .flatMap((node): Site[] => {
        const text = this.#sqlOf(node);
        if (text === null) return [];
        const inner = ts.isCallExpression(text) ? this.#forwardedSqlOf(text) : null;
        // The outer call knows the row.
        if (inner !== null) passed.add(text);
        // A `QueryConfig` is a site where it is created.
        const isConfig = this.#checker.getTypeAtLocation(text).getProperty('text') !== undefined;
        return inner === null && isConfig ? [] : [{ node, text: inner ?? text }];
      });
    const configs = this.#objects.flatMap((node): Site[] => {
      const text = textProperty(node);
      const type = this.#checker.getContextualType(node)?.symbol;
      const isConfig = type?.name === 'QueryConfig' && isOf('/node_modules/@types/pg/', type.declarations?.[0]);
      return isConfig && text !== undefined ? [{ node, text }] : [];
    });
    return [...calls.filter(({ node }) => !passed.has(node)), ...configs];
  }

  /** Returns the SQL argument; null if the call sends none. */
  #sqlOf(call: ts.CallExpression): ts.Expression | null {
    const declaration = this.#checker.getResolvedSignature(call)?.declaration;
    const isForeign = isOf('/node_modules/@types/pg/', declaration) || isOf('/prisma/client/', declaration);
    if (isForeign && SENDERS.includes(calledName(call))) return call.arguments[0] ?? null;
    return this.#forwardedSqlOf(call);
  }

  #forwardedSqlOf(call: ts.CallExpression): ts.Expression | null {
    const declaration = this.#checker.getResolvedSignature(call)?.declaration;
    const forwarder = this.#forwarders.find((known) => known.declaration === declaration);
    return forwarder === undefined ? null : (call.arguments[forwarder.parameter] ?? null);
  }

  /** Returns whether there were new ones. */
  #findForwarders(): boolean {
    const found = this.#sites().flatMap(({ node, text }) => this.#forwarderOf(node, text) ?? []);
    const unknown = found.filter((one) => !this.#forwarders.some((known) => known.declaration === one.declaration));
    this.#forwarders.push(...unknown);
    return unknown.length > 0;
  }

  /** Returns the enclosing function if the SQL is its parameter and the row is determined by its caller. */
  #forwarderOf(node: Site['node'], text: ts.Expression): Forwarder | null {
    const parameter = ts.isIdentifier(text) ? symbolOf(this.#checker, text)?.valueDeclaration : undefined;
    if (parameter === undefined || !ts.isParameter(parameter)) return null;
    if (ts.isCallExpression(node) && claimedRow(this.#checker, node) !== null) return null;
    return { declaration: parameter.parent, parameter: parameter.parent.parameters.indexOf(parameter) };
  }
}

function textProperty(node: ts.ObjectLiteralExpression): ts.Expression | undefined {
  const property = node.properties.find(
    ({ name }) => name !== undefined && ts.isIdentifier(name) && name.text === 'text',
  );
  if (property !== undefined && ts.isPropertyAssignment(property)) return property.initializer;
  return property !== undefined && ts.isShorthandPropertyAssignment(property) ? property.name : undefined;
}

function isRawTag(tag: ts.Expression): boolean {
  return ts.isPropertyAccessExpression(tag) && /^\$(query|execute)Raw$/.test(tag.name.text);
}

/** Replaces Prisma's values by parameters. */
function parameterized(template: ts.TemplateLiteral): string {
  if (ts.isNoSubstitutionTemplateLiteral(template)) return template.text;
  const parts = template.templateSpans.map(({ literal }, index) => `$${index + 1}${literal.text}`);
  return template.head.text + parts.join('');
}

function isOf(folder: string, declaration: ts.Node | undefined): boolean {
  return declaration?.getSourceFile().fileName.includes(folder) === true;
}
