import type { DescMethod, FileRegistry } from '@bufbuild/protobuf';

/** Graft's own files, in the order of their names. */
const OWN = /^(graft|google\/rpc)\//;

/**
 * Lists the files, services, methods, messages and enums of a contract, one per line, so that a review shows additions
 * and removals.
 */
export function contractList(registry: FileRegistry): readonly string[] {
  const files = [...registry.files].filter(({ proto }) => OWN.test(proto.name));
  return files
    .toSorted((a, b) => (a.proto.name < b.proto.name ? -1 : 1))
    .flatMap((file) => [
      `file ${file.proto.name}, package ${file.proto.package}`,
      ...file.services.flatMap((service) => [
        `  service ${service.typeName}`,
        ...service.methods.map(
          (method) => `    rpc ${method.name}(${requestOf(method)}) returns (${responseOf(method)})`,
        ),
      ]),
      ...file.messages
        .flatMap((message) => [message, ...message.nestedMessages])
        .map(({ typeName }) => `  message ${typeName}`),
      ...file.enums.map(({ typeName }) => `  enum ${typeName}`),
    ]);
}

function requestOf({ methodKind, input }: DescMethod): string {
  const streams = methodKind === 'client_streaming' || methodKind === 'bidi_streaming';
  return `${streams ? 'stream ' : ''}${input.typeName}`;
}

function responseOf({ methodKind, output }: DescMethod): string {
  const streams = methodKind === 'server_streaming' || methodKind === 'bidi_streaming';
  return `${streams ? 'stream ' : ''}${output.typeName}`;
}
