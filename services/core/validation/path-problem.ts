import { controlProblem } from '../text/control-characters.ts';
import { show } from '../text/show.ts';

const URL_SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;
const VARIABLE = /(?:^|\/)(\$\{[^}/]*\}|\$[A-Za-z_][A-Za-z0-9_]*|%[A-Za-z_][A-Za-z0-9_]*%)/;
const WINDOWS_PATH = /^(?:[A-Za-z]:[\\/]|\\\\)/;

/**
 * Describes the mistake of a path that means something other than a file or folder below `/` or beside a sweep file: a
 * URL, a variable, a Windows path, a home folder. null for an absolute or relative path.
 *
 * @param what subject of the path, for example `a folder of images`.
 */
export function pathSyntaxProblem(path: string, what: string): string | null {
  const scheme = URL_SCHEME.exec(path)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    const advice =
      scheme === 'file'
        ? 'Write the path alone, without file://.'
        : `Download it, or mount it as a folder, on every trainer, and give that path.`;
    return `must be the path of ${what} as the trainers see it, and URLs are not read; received ${show(path)}. ${advice}`;
  }
  const variable = VARIABLE.exec(path)?.[1];
  if (variable !== undefined) {
    return `has the variable ${variable}, and variables are not filled in; received ${show(path)}. Write the path itself.`;
  }
  if (WINDOWS_PATH.test(path)) {
    return `is a path of Windows, and trainers run on Linux; received ${show(path)}. Give the path as the trainers see it, from / on.`;
  }
  if (path.startsWith('~')) {
    return (
      `begins with ~, which is a folder of somebody on some machine; received ${show(path)}. The command line fills in ~/ in a ` +
      'sweep file; elsewhere, give the path from / on.'
    );
  }
  return null;
}

/** Describes the mistakes of `pathSyntaxProblem`, and those of a path that is relative or has control characters. */
export function pathProblem(path: string, what: string): string | null {
  const problem = controlProblem(path) ?? pathSyntaxProblem(path, what);
  if (problem !== null || path.startsWith('/')) return problem;
  return `must be absolute, because trainers do not share a working folder; received ${show(path)}.`;
}
