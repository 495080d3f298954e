import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { nameOf, partsOf, placeOf, symbolOf } from './syntax.ts';

/** Values bound to names, and the outcome of each condition. */
type Bindings = ReadonlyMap<ts.Symbol | string, string | null>;

interface Variant {
  readonly value: string | null;
  readonly bindings: Bindings;
}

/** Thrown when the string can't be determined from the code. */
export class UnresolvedError extends Error {}

/**
 * Determines the strings that an expression may be. It follows constants, templates, conditions (both ways; the same
 * condition goes the same way twice), members of constant objects, and functions of one `return`. A parameter is each
 * word of its closed list, else the argument of each caller. If that fails, an exported name is imported and evaluated.
 */
export class TextEvaluator {
  readonly #checker: ts.TypeChecker;
  readonly #callsOf: (name: string) => readonly ts.CallExpression[];

  constructor(checker: ts.TypeChecker, callsOf: (name: string) => readonly ts.CallExpression[]) {
    this.#checker = checker;
    this.#callsOf = callsOf;
  }

  /** Evaluates an expression. Throws {UnresolvedError}. */
  async evaluate(expression: ts.Expression): Promise<readonly string[]> {
    const variants = await this.#evaluate(expression, new Map());
    return [...new Set(variants.map(({ value }) => value ?? ''))];
  }

  async #evaluate(expression: ts.Expression, bindings: Bindings): Promise<readonly Variant[]> {
    if (ts.isStringLiteralLike(expression)) return [{ value: expression.text, bindings }];
    if (ts.isNumericLiteral(expression)) return [{ value: expression.text, bindings }];
    if (expression.kind === ts.SyntaxKind.NullKeyword) return [{ value: null, bindings }];
    if (
      ts.isParenthesizedExpression(expression) ||
      ts.isAsExpression(expression) ||
      ts.isSatisfiesExpression(expression)
    ) {
      return this.#evaluate(expression.expression, bindings);
    }
    if (ts.isTemplateExpression(expression)) {
      const parts = expression.templateSpans.flatMap((span) => [span.expression, span.literal]);
      return this.#concatenate([expression.head, ...parts], bindings);
    }
    if (ts.isBinaryExpression(expression) && expression.operatorToken.kind === ts.SyntaxKind.PlusToken) {
      return this.#concatenate([expression.left, expression.right], bindings);
    }
    if (ts.isConditionalExpression(expression)) return this.#choose(expression, bindings);
    if (ts.isIdentifier(expression)) return this.#evaluateName(expression, bindings);
    if (ts.isElementAccessExpression(expression) || ts.isPropertyAccessExpression(expression)) {
      return this.#evaluateProperty(expression, bindings);
    }
    if (ts.isCallExpression(expression)) return this.#evaluateCall(expression, bindings);
    throw new UnresolvedError(`no constant: ${expression.getText()}`);
  }

  async #concatenate(
    parts: readonly (ts.Expression | ts.TemplateLiteralLikeNode)[],
    bindings: Bindings,
  ): Promise<readonly Variant[]> {
    let variants: readonly Variant[] = [{ value: '', bindings }];
    for (const part of parts) {
      const longer: Variant[] = [];
      for (const { value: start, bindings: bound } of variants) {
        const ends = isTemplatePart(part) ? [{ value: part.text, bindings: bound }] : await this.#evaluate(part, bound);
        for (const end of ends) longer.push({ value: `${start ?? ''}${end.value ?? ''}`, bindings: end.bindings });
      }
      variants = longer;
    }
    return variants;
  }

  async #choose(expression: ts.ConditionalExpression, bindings: Bindings): Promise<readonly Variant[]> {
    const condition = expression.condition.getText();
    const known = bindings.get(condition);
    const ways = known === undefined ? ['true', 'false'] : [known];
    const variants: Variant[] = [];
    for (const way of ways) {
      const branch = way === 'true' ? expression.whenTrue : expression.whenFalse;
      variants.push(...(await this.#evaluate(branch, new Map(bindings).set(condition, way))));
    }
    return variants;
  }

  async #evaluateName(name: ts.Identifier, bindings: Bindings): Promise<readonly Variant[]> {
    const symbol = this.#symbolOf(name);
    const declaration = symbol?.valueDeclaration;
    if (symbol === undefined || declaration === undefined) throw new UnresolvedError(`unknown name ${name.text}`);
    const bound = bindings.get(symbol);
    if (bound !== undefined) return [{ value: bound, bindings }];
    const isConstant =
      ts.isVariableDeclaration(declaration) && (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) !== 0;
    if (isConstant && declaration.initializer !== undefined) {
      try {
        return await this.#evaluate(declaration.initializer, bindings);
      } catch (error) {
        if (!(error instanceof UnresolvedError)) throw error;
        const value = await importedValue(declaration);
        if (value !== null) return [{ value, bindings }];
      }
    }
    const words = wordsOf(this.#checker.getTypeAtLocation(name));
    if (words !== null) return words.map((value) => ({ value, bindings: new Map(bindings).set(symbol, value) }));
    if (ts.isParameter(declaration)) return this.#evaluateParameter(symbol, declaration, bindings);
    throw new UnresolvedError(`no constant: ${name.text}`);
  }

  async #evaluateParameter(
    symbol: ts.Symbol,
    declaration: ts.ParameterDeclaration,
    bindings: Bindings,
  ): Promise<readonly Variant[]> {
    const place = declaration.parent.parameters.indexOf(declaration);
    const values = new Set<string | null>();
    for (const call of this.#callsOf(nameOf(declaration.parent))) {
      if (this.#checker.getResolvedSignature(call)?.declaration !== declaration.parent) continue;
      const argument = call.arguments[place];
      if (argument === undefined) throw new UnresolvedError(`${placeOf(call)} leaves out ${symbol.name}`);
      for (const { value } of await this.#evaluate(argument, new Map())) values.add(value);
    }
    if (values.size === 0) throw new UnresolvedError(`no caller gives ${symbol.name}`);
    return [...values].map((value) => ({ value, bindings: new Map(bindings).set(symbol, value) }));
  }

  /** A member of a constant object. */
  async #evaluateProperty(
    access: ts.ElementAccessExpression | ts.PropertyAccessExpression,
    bindings: Bindings,
  ): Promise<readonly Variant[]> {
    const declaration = this.#symbolOf(access.expression)?.valueDeclaration;
    let object =
      declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
    while (object && (ts.isAsExpression(object) || ts.isSatisfiesExpression(object))) object = object.expression;
    if (object === undefined || !ts.isObjectLiteralExpression(object)) {
      throw new UnresolvedError(`no constant: ${access.getText()}`);
    }
    const keys = ts.isPropertyAccessExpression(access)
      ? [{ value: access.name.text, bindings }]
      : await this.#evaluate(access.argumentExpression, bindings);
    const variants: Variant[] = [];
    for (const key of keys) {
      const property = object.properties.find((member) => member.name?.getText() === key.value);
      if (property === undefined || !ts.isPropertyAssignment(property)) {
        throw new UnresolvedError(`no constant: ${access.getText()}`);
      }
      variants.push(...(await this.#evaluate(property.initializer, key.bindings)));
    }
    return variants;
  }

  async #evaluateCall(call: ts.CallExpression, bindings: Bindings): Promise<readonly Variant[]> {
    if (/\.escapeIdentifier$/.test(call.expression.getText())) return [{ value: '"name"', bindings }];
    const called = this.#symbolOf(call.expression)?.valueDeclaration;
    const declaration = called !== undefined && ts.isVariableDeclaration(called) ? called.initializer : called;
    if (declaration === undefined || !ts.isFunctionLike(declaration)) {
      throw new UnresolvedError(`no function of one return: ${call.getText()}`);
    }
    let variants: readonly Variant[] = [{ value: null, bindings }];
    for (const [place, parameter] of declaration.parameters.entries()) {
      const argument = call.arguments[place] ?? parameter.initializer;
      const symbol = this.#checker.getSymbolAtLocation(parameter.name);
      if (argument === undefined || symbol === undefined) throw new UnresolvedError(`no constant: ${call.getText()}`);
      const longer: Variant[] = [];
      for (const { bindings: bound } of variants) {
        for (const { value, bindings: after } of await this.#evaluate(argument, bound)) {
          longer.push({ value, bindings: new Map(after).set(symbol, value) });
        }
      }
      variants = longer;
    }
    const result = resultOf(declaration);
    if (result === null) throw new UnresolvedError(`no function of one return: ${call.getText()}`);
    const values: Variant[] = [];
    for (const { bindings: bound } of variants) {
      // The bindings of the parameters end with the call.
      for (const { value } of await this.#evaluate(result, bound)) values.push({ value, bindings });
    }
    return values;
  }

  #symbolOf(node: ts.Node): ts.Symbol | undefined {
    return symbolOf(this.#checker, node);
  }
}

/** Returns the words of a union of literals, without null; null if the type is anything else. */
function wordsOf(type: ts.Type): readonly string[] | null {
  const words = partsOf(type).filter(({ flags }) => (flags & ts.TypeFlags.Null) === 0);
  return words.every((word) => word.isStringLiteral()) ? words.map(({ value }) => value) : null;
}

function resultOf(declaration: ts.SignatureDeclaration): ts.Expression | null {
  const body = 'body' in declaration ? declaration.body : undefined;
  if (body === undefined) return null;
  if (!ts.isBlock(body)) return body;
  const last = body.statements.at(-1);
  const isPlain = body.statements.slice(0, -1).every((statement) => ts.isVariableStatement(statement));
  return isPlain && last !== undefined && ts.isReturnStatement(last) ? (last.expression ?? null) : null;
}

/** Returns the string that a module exports; null if it exports none of this name. */
async function importedValue(declaration: ts.VariableDeclaration): Promise<string | null> {
  if ((ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Export) === 0) return null;
  const url = pathToFileURL(declaration.getSourceFile().fileName).href;
  const module = (await import(/* @vite-ignore */ url)) as Readonly<Record<string, unknown>>;
  const value = module[declaration.name.getText()];
  return typeof value === 'string' ? value : null;
}

function isTemplatePart(node: ts.Expression | ts.TemplateLiteralLikeNode): node is ts.TemplateLiteralLikeNode {
  return ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
}
