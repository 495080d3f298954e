import { dirname, resolve } from 'node:path';
import { homedir } from 'node:os';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node as YamlNode } from 'yaml';
import { validateSweepSpec } from '../../core/validation/validate-spec.ts';
import type { FieldViolation, SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { missingFiles } from './local-files.ts';
import { ViolationsError } from '../terminal/cli-errors.ts';
import type { ByteStream } from '../terminal/standard-stream.ts';
import { explainSyntax, nameOf, nestingProblem, NO_YAML, readSweepText } from './read-sweep-text.ts';
import { absolutePath, readSweep } from './read-sweep.ts';
import type { SweepFileFolders } from './read-sweep.ts';
import { isMapping, pathOf, ShapeReader } from './shape-reader.ts';
import { toYamlViolation } from './yaml-path.ts';

/** Maximum number of aliases to resolve; a file with more exhausts memory on purpose. */
const MAX_ALIAS_COUNT = 100;
/** Maximum number of syntax errors to report: one missing bracket can cause an error in each following line. */
const MAX_SYNTAX_MISTAKES = 20;

interface FolderOptions {
  /** Absolute path that replaces `dataset.path`. */
  readonly data?: string;
  /** Default: false. */
  readonly requiresFiles?: boolean;
}

export interface ParsedSweepFile {
  /** Valid only if there are no violations. */
  readonly spec: SweepSpec;
  /** Every mistake, ordered by line; fields are paths in the file. */
  readonly violations: readonly FieldViolation[];
}

/** Data options of `graft sweep plan` and `graft sweep submit`. */
export interface DataOptions {
  /** Folder of the images, relative to the current folder, which replaces `dataset.path`. */
  readonly data?: string;
  /** Requires that the folder and all files of weights exist on this machine. */
  readonly requiresFiles?: boolean;
  /** Content of the file `-`; default: standard input of the process. */
  readonly stdin?: ByteStream | undefined;
}

/**
 * Reads a sweep file, or standard input if the path is `-`.
 *
 * @throws CliError if the file can't be read; UsageError if it is not UTF-8; ViolationsError with every mistake of shape and
 * meaning.
 */
export async function loadSweepFile(path: string, cwd: string, options: DataOptions = {}): Promise<SweepSpec> {
  const file = resolve(cwd, path);
  const text = await readSweepText(path, file, options.stdin);
  const { spec, violations } = parseSweepFile(text, {
    folder: dirname(file),
    home: homedir(),
    ...(options.data === undefined ? {} : { data: absolutePath(options.data, { folder: cwd, home: homedir() }) }),
    requiresFiles: options.requiresFiles ?? false,
  });
  if (violations.length > 0) throw new ViolationsError(nameOf(path), violations);
  return spec;
}

/** Parses the content of a sweep file (YAML 1.2 or JSON) and reports every mistake. */
export function parseSweepFile(text: string, folders: SweepFileFolders & FolderOptions): ParsedSweepFile {
  const lineCounter = new LineCounter();
  const reader = new ShapeReader();
  const parsed = parseYaml(text, lineCounter, reader);
  const root = parsed?.root ?? {};
  const spec = withData(readSweep(root, reader, folders), folders.data);
  // Validating half a file would report mistakes that it does not have.
  if (parsed === null || !isMapping(root)) {
    return { spec, violations: reader.violations.filter(({ field }) => field === '') };
  }
  const toFile = (violation: FieldViolation): FieldViolation => toYamlViolation(violation, spec);
  const meaning = validateSweepSpec(spec)
    .map(toFile)
    .filter(({ field }) => !reader.hasFailed(field) && !dependsOn(field, reader.unreadable));
  if (folders.requiresFiles === true) {
    const invalid = new Set(meaning.map(({ field }) => field));
    const missing = missingFiles(spec, folders.data !== undefined).map(toFile);
    meaning.push(...missing.filter(({ field }) => !invalid.has(field)));
  }
  return { spec, violations: withLines([...reader.violations, ...meaning], parsed.document, lineCounter) };
}

function withData(spec: SweepSpec, data: string | undefined): SweepSpec {
  return data === undefined ? spec : { ...spec, dataset: { ...spec.dataset, path: data } };
}

/** Returns the document with its value; null if it can't be read, for a reason that is added to `reader`. */
function parseYaml(
  text: string,
  lineCounter: LineCounter,
  reader: ShapeReader,
): { readonly document: Document; readonly root: unknown } | null {
  try {
    // Reports duplicate keys and still reads the rest. Merge keys (<<) are of YAML 1.1, but common.
    const document = parseDocument(text, { lineCounter, prettyErrors: false, merge: true });
    // An unknown tag (!include, !env) is only a warning of the parser, which then uses the string beside it.
    const mistakes = [...document.errors, ...document.warnings].map(
      ({ message, pos, code }) => `line ${lineCounter.linePos(pos[0]).line}: ${explainSyntax(code, message, text)}`,
    );
    for (const mistake of [...new Set(mistakes)].slice(0, MAX_SYNTAX_MISTAKES)) reader.fail('', mistake);
    if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) return null;
    const root = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }) as unknown;
    const problem = typeof root === 'string' ? NO_YAML : nestingProblem(root);
    if (problem === null) return { document, root };
    reader.fail('', problem);
  } catch (error) {
    // Too many aliases, merge keys of something other than a mapping, or nesting that overflows the stack.
    const what = error instanceof RangeError ? 'it is nested too deeply' : (error as Error).message.replace(/\.$/, '');
    reader.fail('', `the file can't be read: ${what}.`);
  }
  return null;
}

/** Returns whether a field is a condition on a dimension that could not be read, which would be reported as impossible. */
function dependsOn(field: string, names: ReadonlySet<string>): boolean {
  return [...names].some((name) => field.endsWith(`.when.${name}`) || field.includes(`.when.${name}[`));
}

function withLines(
  violations: readonly FieldViolation[],
  document: Document,
  lineCounter: LineCounter,
): readonly FieldViolation[] {
  const lines = linesByPath(document, lineCounter);
  return violations
    .map(({ field, description }) => ({ field, description, line: lineOf(field, lines) }))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
    .map(({ field, description, line }) => ({
      field,
      // A violation beyond the listed ones has no description.
      description: line === null || field === '' || description === '' ? description : `${description} (line ${line})`,
    }));
}

/** Returns the line of a path, or of its nearest parent that is in the file. */
function lineOf(field: string, lines: ReadonlyMap<string, number>): number | null {
  let path = field;
  while (path !== '') {
    const line = lines.get(path);
    if (line !== undefined) return line;
    path = path.slice(0, Math.max(path.lastIndexOf('.'), path.lastIndexOf('['), 0));
  }
  return null;
}

function linesByPath(document: Document, lineCounter: LineCounter): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  const paths = new Map<YamlNode, string>();
  const note = (node: YamlNode, path: string, at: YamlNode): void => {
    paths.set(node, path);
    const offset = at.range?.[0];
    if (offset !== undefined && path !== '') lines.set(path, lineCounter.linePos(offset).line);
  };
  if (document.contents !== null) note(document.contents, '', document.contents);
  visit(document, {
    Map(_, map) {
      const parent = paths.get(map) ?? '';
      for (const { key, value } of map.items) {
        if (!isScalar(key)) continue;
        const path = pathOf(parent, String(key.value));
        note(isNode(value) ? value : key, path, key);
      }
    },
    Seq(_, list) {
      const parent = paths.get(list) ?? '';
      list.items.forEach((item, index) => {
        if (isNode(item)) note(item, pathOf(parent, index), item);
      });
    },
  });
  return lines;
}

function isNode(value: unknown): value is YamlNode {
  return isMap(value) || isSeq(value) || isScalar(value);
}
