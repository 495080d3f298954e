import ts from 'typescript';

/** Returns the symbol that a name refers to, through imports and shorthand properties. */
export function symbolOf(checker: ts.TypeChecker, node: ts.Node): ts.Symbol | undefined {
  const shorthand = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : undefined;
  const symbol = shorthand ?? checker.getSymbolAtLocation(node);
  if (symbol === undefined || (symbol.flags & ts.SymbolFlags.Alias) === 0) return symbol;
  return checker.getAliasedSymbol(symbol);
}

export function calledName({ expression }: ts.CallExpression): string {
  if (ts.isPropertyAccessExpression(expression)) return expression.name.text;
  return ts.isIdentifier(expression) ? expression.text : '';
}

export function nameOf(declaration: ts.Node): string {
  const named = declaration as { readonly name?: ts.Node };
  // A function that is assigned has the name of its variable.
  const name = named.name ?? (ts.isVariableDeclaration(declaration.parent) ? declaration.parent.name : undefined);
  return name?.getText() ?? '';
}

export function partsOf(type: ts.Type): readonly ts.Type[] {
  return type.isUnion() ? type.types : [type];
}

/** Returns a location as `path:line`. */
export function placeOf(node: ts.Node): string {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  return `${file.fileName.replace(/^.*\/(?=(services|test)\/)/, '')}:${line + 1}`;
}
