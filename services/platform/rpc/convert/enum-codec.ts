import { InvalidRequestError } from '../../../core/errors.ts';

type ProtoEnum = Readonly<Record<string, number>>;
type Name<E extends ProtoEnum> = Exclude<keyof E & string, 'UNSPECIFIED' | 'UNRECOGNIZED'>;
/** `unknown` if both unions have the same members: a value that is added to one side only does not compile. */
type SameMembers<A, B> = [A] extends [B] ? ([B] extends [A] ? unknown : never) : never;

/** Converts between an enum of the protos and a string union of the domain. */
export interface EnumCodec<C extends string, E extends ProtoEnum> {
  /** Returns the enum's number; `UNSPECIFIED` for null. */
  toProto(value: C | null): E[keyof E];
  /** @throws InvalidRequestError naming the field, for `UNSPECIFIED` and for a number this version does not know. */
  fromProto(value: number, field: string): C;
  /** Returns null for `UNSPECIFIED` and for a number this version does not know. */
  tryFromProto(value: number): C | null;
  /** All members of the union. */
  readonly values: readonly C[];
}

/** Makes a codec for a union whose members are spelled as in the protos, for example `Stage`. */
export function upperCaseEnum<C extends string, E extends ProtoEnum>(
  protoEnum: E & SameMembers<C, Name<E>>,
): EnumCodec<C, E> {
  return makeCodec<C, E>(protoEnum, (name) => name as C);
}

/** Makes a codec for a union whose members are the protos' names in lower case, for example `Split`. */
export function lowerCaseEnum<C extends string, E extends ProtoEnum>(
  protoEnum: E & SameMembers<Uppercase<C>, Name<E>>,
): EnumCodec<C, E> {
  return makeCodec<C, E>(protoEnum, (name) => name.toLowerCase() as C);
}

function makeCodec<C extends string, E extends ProtoEnum>(
  protoEnum: ProtoEnum,
  spell: (name: string) => C,
): EnumCodec<C, E> {
  const names = Object.keys(protoEnum).filter((name) => name !== 'UNSPECIFIED' && name !== 'UNRECOGNIZED');
  const toProto = new Map(names.map((name) => [spell(name), protoEnum[name] as E[keyof E]]));
  const toCore = new Map<number, C>(names.map((name) => [protoEnum[name] as number, spell(name)]));
  const values = [...toProto.keys()];
  return {
    values,
    toProto(value) {
      const number = value === null ? protoEnum['UNSPECIFIED'] : toProto.get(value);
      if (number === undefined) throw new Error(`'${value}' is none of ${values.join(', ')}.`);
      return number as E[keyof E];
    },
    fromProto(value, field) {
      const core = toCore.get(value);
      if (core === undefined) {
        const received = value === 0 ? 'nothing' : `the number ${value}, which this version does not know`;
        throw new InvalidRequestError([
          { field, description: `must be one of ${values.join(', ')}; received ${received}.` },
        ]);
      }
      return core;
    },
    tryFromProto: (value) => toCore.get(value) ?? null,
  };
}
