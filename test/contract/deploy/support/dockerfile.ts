/** One instruction, with its continuation lines joined. */
export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** A stage of a multi-stage build. */
export interface Stage {
  readonly name: string | null;
  /** Base image, with the default values of the arguments before the first FROM substituted. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

export interface CopyInstruction {
  /** Stage to copy from; null: the build context. */
  readonly from: string | null;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Parses the subset of Dockerfile syntax that ours use; refuses anything else. */
export function parseDockerfile(text: string): readonly Stage[] {
  const defaults = new Map<string, string>();
  const stages: { name: string | null; base: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    const { keyword, text: rest } = instruction;
    if (keyword === 'FROM') {
      const [, base = '', name = null] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
      stages.push({
        name,
        base: base.replace(/\$\{(\w+)\}/g, (_, key: string) => defaults.get(key) ?? ''),
        instructions: [],
      });
    } else if (stages.length === 0) {
      if (keyword !== 'ARG') throw new Error(`${keyword} before the first FROM.`);
      const [key = '', value = ''] = splitPair(rest);
      defaults.set(key, value);
    } else {
      stages.at(-1)?.instructions.push(instruction);
    }
  }
  return stages;
}

function instructionsOf(text: string): readonly Instruction[] {
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
  const joined = lines.join('\n').replace(/\\\n\s*/g, ' ');
  return joined
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [, keyword = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      if (keyword === '') throw new Error(`Not an instruction: ${line}`);
      return { keyword, text: rest };
    });
}

export function textsOf(stage: Stage, keyword: string): readonly string[] {
  return stage.instructions.filter((one) => one.keyword === keyword).map(({ text }) => text);
}

export function copiesOf(stage: Stage): readonly CopyInstruction[] {
  return textsOf(stage, 'COPY').map((text) => {
    const [, from = null, rest = ''] = /^(?:--from=(\S+)\s+)?(.*)$/.exec(text) ?? [];
    const paths = rest.split(/\s+/);
    return { from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
  });
}

/** Parses `A=b C="d e"` of ENV and LABEL. */
export function pairsOf(stage: Stage, keyword: 'ENV' | 'LABEL'): Readonly<Record<string, string>> {
  const pairs = textsOf(stage, keyword).flatMap((text) => [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g)]);
  return Object.fromEntries(pairs.map(([, key = '', quoted, plain]) => [key, quoted ?? plain ?? '']));
}

/** Returns the words of a command in JSON form, of CMD or of HEALTHCHECK's CMD; null if there is none. */
export function commandOf(stage: Stage, keyword: 'CMD' | 'HEALTHCHECK'): readonly string[] | null {
  const text = textsOf(stage, keyword).at(-1);
  const list = text === undefined ? undefined : /\[.*\]$/.exec(text)?.[0];
  return list === undefined ? null : (JSON.parse(list) as string[]);
}

function splitPair(text: string): readonly string[] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text] : [text.slice(0, equals), text.slice(equals + 1)];
}
