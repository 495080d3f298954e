import { extname } from 'node:path';
import ts from 'typescript';

/**
 * Returns `source` with all that isn't prose blanked out, at the same offsets: comments and strings of TypeScript and
 * JavaScript, every line of another file. Comment markers become spaces, so that a sentence continues over its lines.
 */
export function proseOf(path: string, source: string): string {
  if (!['.ts', '.js'].includes(extname(path))) return withoutMarkers(source);
  const prose = Array.from(source, (character) => (/\s/.test(character) ? character : '\0'));
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const copy = (from: number, to: number): void => {
    for (let at = from; at < to; at++) prose[at] = source.charAt(at);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      copy(node.getFullStart(), node.getStart(file));
      return;
    }
    if (node.getChildCount(file) === 0) {
      copy(node.getFullStart(), node.getStart(file));
      if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
        copy(node.getStart(file), node.end);
      }
    }
    node.getChildren(file).forEach(visit);
  };
  visit(file);
  return withoutMarkers(prose.join(''));
}

function withoutMarkers(text: string): string {
  return text.replaceAll(/^[ \t]*(?:\/\*+|\*+\/?|\/\/+|#+|--+|>)/gm, (marker) => ' '.repeat(marker.length));
}
