import { z } from 'zod';

/** An environment variable of a service. It has a default, a description of what holds when it is unset, or must be set. */
export type Setting =
  | { readonly schema: z.ZodType; readonly help: string; readonly default: unknown }
  | { readonly schema: z.ZodType; readonly help: string; readonly unset: string }
  | { readonly schema: z.ZodType; readonly help: string };

/** The environment variables of a service by name: parser, `--help`, documentation and contract tests are derived from it. */
export type Settings = Readonly<Record<string, Setting>>;

type ValueOf<S extends Setting> = S extends { readonly unset: string }
  ? z.output<S['schema']> | undefined
  : z.output<S['schema']>;

/** The parsed values of a table of settings. */
export type ValuesOf<T extends Settings> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** An integer within bounds, inclusive. */
export function integer(min: number, max: number, unit = ''): z.ZodType<number> {
  const error = `must be an integer from ${min} to ${max}${unit === '' ? '' : ` ${unit}`}`;
  return z.coerce.number({ error }).refine((value) => Number.isInteger(value) && value >= min && value <= max, error);
}

/** An integer number of milliseconds within bounds, inclusive. */
export function milliseconds(min: number, max: number): z.ZodType<number> {
  return integer(min, max, 'milliseconds');
}

/** The values `on` and `off`. */
export const switchedOn: z.ZodType<'on' | 'off'> = z.enum(['on', 'off'], { error: 'must be on or off' });

/** Returns the value that holds when a variable is unset, as help and documentation show it. */
export function fallbackOf(setting: Setting): string {
  if ('default' in setting) return String(setting.default);
  return 'unset' in setting ? setting.unset : 'required';
}

const HELP_WIDTH = 128;
/** Width of the column of names. Longer names get a line of their own. */
const NAME_WIDTH = 34;

/** Returns the lines of `--help` that describe the variables. */
export function settingsHelp(settings: Settings): string {
  const lines = Object.entries(settings).flatMap(([name, setting]) => {
    const [first = '', ...others] = wrap(`${setting.help} (${fallbackOf(setting)})`, HELP_WIDTH - NAME_WIDTH - 2);
    const indented = others.map((line) => ' '.repeat(NAME_WIDTH) + line);
    return name.length < NAME_WIDTH
      ? [name.padEnd(NAME_WIDTH) + first, ...indented]
      : [name, ' '.repeat(NAME_WIDTH) + first, ...indented];
  });
  return lines.map((line) => `  ${line}\n`).join('');
}

function wrap(paragraph: string, width: number): readonly string[] {
  return paragraph.match(new RegExp(`\\S.{0,${width - 1}}(?=\\s|$)`, 'g')) ?? [];
}
