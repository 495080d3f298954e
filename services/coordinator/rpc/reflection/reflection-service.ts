import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescFile, FileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { ServerReflectionService } from '../../../../proto/gen/grpc/reflection/v1/reflection.ts';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../../../proto/gen/grpc/reflection/v1/reflection.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import type { RpcServer } from '../../../platform/rpc/server.ts';

/** The contract, and the protos that gRPC publishes. Two encoded sets one after the other are one set. */
const DESCRIPTORS = ['descriptor.binpb', 'grpc.binpb'];
const GENERATED = new URL('../../../../proto/gen/', import.meta.url);
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

/** `v1alpha` has the same messages. Clients from before 2023 call it, and grpcurl falls back to it. */
const V1_ALPHA = {
  serverReflectionInfo: {
    ...ServerReflectionService.serverReflectionInfo,
    path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
  },
} as const;

/**
 * Lets any client, for example grpcurl, find and call the services without a proto file. `@grpc/reflection` 1.0.4 can't: it
 * passes a descriptor set through protobufjs, which merges the files of a package into one and loses their imports, so that
 * clients can list the services but not call them.
 */
export function addReflection(server: RpcServer): void {
  const set = Buffer.concat(DESCRIPTORS.map((name) => readFileSync(new URL(name, GENERATED))));
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
  const serverReflectionInfo = (requests: AsyncIterable<ServerReflectionRequest>, call: CallContext) =>
    answerAll(registry, requests, call);
  server.addService(ServerReflectionService, { serverReflectionInfo });
  server.addService(V1_ALPHA, { serverReflectionInfo });
}

async function* answerAll(
  registry: FileRegistry,
  requests: AsyncIterable<ServerReflectionRequest>,
  call: CallContext,
): AsyncGenerator<ServerReflectionResponse> {
  for await (const request of requests) {
    yield { validHost: request.host, originalRequest: request, messageResponse: answer(registry, request) };
    if (call.draining.aborted) return;
  }
}

function answer(
  registry: FileRegistry,
  { messageRequest: query }: ServerReflectionRequest,
): ServerReflectionResponse['messageResponse'] {
  switch (query?.$case) {
    case 'listServices': {
      const services = [...registry].filter(({ kind }) => kind === 'service').map(({ typeName }) => typeName);
      return { $case: 'listServicesResponse', value: { service: services.toSorted().map((name) => ({ name })) } };
    }
    case 'fileByFilename':
      return filesOf(registry.getFile(query.value), query.value);
    case 'fileContainingSymbol':
      return filesOf(fileOf(registry, query.value), query.value);
    default:
      return failure(UNIMPLEMENTED, 'Only files, symbols and services are answered, not extensions.');
  }
}

/** Returns the file that defines a message, enum, service or method. */
function fileOf(registry: FileRegistry, symbol: string): DescFile | undefined {
  const type = registry.get(symbol);
  if (type !== undefined) return type.file;
  const dot = symbol.lastIndexOf('.');
  const service = registry.getService(symbol.slice(0, dot));
  return service?.methods.some(({ name }) => name === symbol.slice(dot + 1)) === true ? service.file : undefined;
}

/** Answers with the file and everything that it imports, because clients can't build its types without. */
function filesOf(file: DescFile | undefined, asked: string): ServerReflectionResponse['messageResponse'] {
  if (file === undefined) return failure(NOT_FOUND, `There is no '${asked}'.`);
  const files = new Set([file]);
  // A set is iterated in the order of insertion, including what is added meanwhile.
  for (const { dependencies } of files) for (const dependency of dependencies) files.add(dependency);
  const fileDescriptorProto = [...files].map(({ proto }) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto)));
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function failure(errorCode: number, errorMessage: string): ServerReflectionResponse['messageResponse'] {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } };
}
