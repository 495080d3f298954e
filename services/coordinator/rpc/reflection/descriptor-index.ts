import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { DescriptorProto, FileDescriptorProto } from '@bufbuild/protobuf/wkt';

interface IndexedFile {
  readonly bytes: Uint8Array;
  readonly dependencies: readonly string[];
}

/** Files by name and by the symbols they define, in the bytes the compiler wrote. */
export class DescriptorIndex {
  readonly #files = new Map<string, IndexedFile>();
  readonly #fileOfSymbol = new Map<string, string>();
  readonly #services: string[] = [];

  /** @param set a serialized `google.protobuf.FileDescriptorSet`. */
  addSet(set: Uint8Array): void {
    const reader = new BinaryReader(set);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1) this.addFile(reader.bytes());
      else reader.skip(wireType);
    }
  }

  /** @param bytes a serialized `google.protobuf.FileDescriptorProto`. */
  addFile(bytes: Uint8Array): void {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    this.#files.set(file.name, { bytes, dependencies: file.dependency });
    for (const symbol of symbolsOf(file)) this.#fileOfSymbol.set(symbol, file.name);
    for (const service of file.service) this.#services.push(qualified(file.package, service.name));
  }

  /** Full names, sorted. */
  get services(): readonly string[] {
    return this.#services.toSorted();
  }

  /** The file and all it imports, each once, the file first; null where there is no such file. */
  withDependencies(name: string): Uint8Array[] | null {
    if (!this.#files.has(name)) return null;
    const found = new Map<string, Uint8Array>();
    const wanted = [name];
    for (let next = wanted.shift(); next !== undefined; next = wanted.shift()) {
      const file = this.#files.get(next);
      if (!file || found.has(next)) continue;
      found.set(next, file.bytes);
      wanted.push(...file.dependencies);
    }
    return [...found.values()];
  }

  /** The file that defines a message, enum, service or method; null where there is none. */
  fileOf(symbol: string): string | null {
    return this.#fileOfSymbol.get(symbol) ?? null;
  }
}

function symbolsOf(file: FileDescriptorProto): string[] {
  const inPackage = (name: string): string => qualified(file.package, name);
  return [
    ...file.messageType.flatMap((message) => symbolsOfMessage(message, file.package)),
    ...file.enumType.map(({ name }) => inPackage(name)),
    ...file.service.flatMap(({ name, method }) => [
      inPackage(name),
      ...method.map((call) => `${inPackage(name)}.${call.name}`),
    ]),
  ];
}

function symbolsOfMessage(message: DescriptorProto, scope: string): string[] {
  const name = qualified(scope, message.name);
  return [
    name,
    ...message.nestedType.flatMap((nested) => symbolsOfMessage(nested, name)),
    ...message.enumType.map((nested) => `${name}.${nested.name}`),
  ];
}

function qualified(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}
