import { parseHTML } from 'linkedom';

/** The used part of the DOM, whose types this project does not load. */
export interface Node {
  readonly textContent: string | null;
  readonly tagName: string;
  readonly outerHTML: string;
  readonly children: Iterable<Node>;
  readonly parentElement: Node | null;
  getAttribute(name: string): string | null;
  querySelector(selector: string): Node | null;
  querySelectorAll(selector: string): Iterable<Node> & { readonly length: number };
}

/** Returns the document of a report. */
export function parsePage(page: string): Node {
  return (parseHTML(page) as unknown as { document: Node }).document;
}

/** Returns the text of an element with single spaces; empty without one. */
export function textOf(element: Node | null): string {
  return (element?.textContent ?? '').replaceAll(/\s+/g, ' ').trim();
}
