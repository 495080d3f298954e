import { readFileSync } from 'node:fs';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import type { RpcServer } from '../../../platform/rpc/server.ts';
import { DescriptorIndex } from './descriptor-index.ts';
import { healthDescriptor } from './health-descriptor.ts';
import { decodeRequest, encodeResponse } from './reflection-messages.ts';
import type {
  ReflectionAnswer,
  ReflectionQuery,
  ReflectionRequest,
  ReflectionResponse,
} from './reflection-messages.ts';

const DESCRIPTORS = new URL('../../../../proto/gen/descriptor.binpb', import.meta.url);
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

function definition(version: 'v1' | 'v1alpha') {
  return {
    serverReflectionInfo: {
      path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      // Only a server is made of this.
      requestSerialize: (request: ReflectionRequest): Buffer => Buffer.from(request.bytes),
      requestDeserialize: decodeRequest,
      responseSerialize: encodeResponse,
      responseDeserialize: (): ReflectionResponse => {
        throw new Error('A reflection client is not part of Graft.');
      },
    },
  } as const;
}

/**
 * Lets any client, for example grpcurl, find and call the services without a proto file. Answers with the compiler's own
 * bytes: `@grpc/reflection` 1.0.4 passes a descriptor set through protobufjs, which merges the files of a package into one
 * and loses their imports, so that clients can list the services but not call them.
 */
export function addReflection(server: RpcServer): void {
  const index = new DescriptorIndex();
  index.addSet(readFileSync(DESCRIPTORS));
  index.addFile(healthDescriptor());
  const serverReflectionInfo = (requests: AsyncIterable<ReflectionRequest>, call: CallContext) =>
    answerAll(index, requests, call);
  server.addService(definition('v1'), { serverReflectionInfo });
  // Clients from before 2023, grpcurl's fallback among them.
  server.addService(definition('v1alpha'), { serverReflectionInfo });
}

async function* answerAll(
  index: DescriptorIndex,
  requests: AsyncIterable<ReflectionRequest>,
  call: CallContext,
): AsyncGenerator<ReflectionResponse> {
  for await (const request of requests) {
    yield { request, answer: answer(index, request.query) };
    if (call.draining.aborted) return;
  }
}

function answer(index: DescriptorIndex, query: ReflectionQuery): ReflectionAnswer {
  switch (query.kind) {
    case 'list_services':
      return { kind: 'services', names: index.services };
    case 'file_by_filename':
      return filesOf(index, query.name, query.name);
    case 'file_containing_symbol':
      return filesOf(index, index.fileOf(query.name), query.name);
    case 'unsupported':
      return {
        kind: 'error',
        code: UNIMPLEMENTED,
        message: 'Files, symbols and services can be asked for; extensions not.',
      };
  }
}

function filesOf(index: DescriptorIndex, file: string | null, asked: string): ReflectionAnswer {
  const files = file === null ? null : index.withDependencies(file);
  if (files === null) return { kind: 'error', code: NOT_FOUND, message: `There is no '${asked}'.` };
  return { kind: 'files', files };
}
