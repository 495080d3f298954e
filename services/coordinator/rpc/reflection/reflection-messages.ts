import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** The messages of `grpc.reflection.v1` (and `v1alpha`, which is the same on the wire), as far as they are used here. */
export type ReflectionQuery =
  | { readonly kind: 'file_by_filename' | 'file_containing_symbol'; readonly name: string }
  | { readonly kind: 'list_services' }
  | { readonly kind: 'unsupported' };

export interface ReflectionRequest {
  /** The request as it came; the answer repeats it. */
  readonly bytes: Uint8Array;
  readonly host: string;
  readonly query: ReflectionQuery;
}

export type ReflectionAnswer =
  | { readonly kind: 'files'; readonly files: readonly Uint8Array[] }
  | { readonly kind: 'services'; readonly names: readonly string[] }
  | { readonly kind: 'error'; readonly code: number; readonly message: string };

export interface ReflectionResponse {
  readonly request: ReflectionRequest;
  readonly answer: ReflectionAnswer;
}

/** `ServerReflectionRequest`. */
export function decodeRequest(bytes: Uint8Array): ReflectionRequest {
  const reader = new BinaryReader(bytes);
  let host = '';
  let query: ReflectionQuery = { kind: 'unsupported' };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) host = reader.string();
    else if (field === 3) query = { kind: 'file_by_filename', name: reader.string() };
    else if (field === 4) query = { kind: 'file_containing_symbol', name: reader.string() };
    else if (field === 7) {
      reader.string();
      query = { kind: 'list_services' };
    } else reader.skip(wireType);
  }
  return { bytes, host, query };
}

const LENGTH_DELIMITED = WireType.LengthDelimited;

/** `ServerReflectionResponse`. */
export function encodeResponse({ request, answer }: ReflectionResponse): Buffer {
  const writer = new BinaryWriter();
  writer.tag(1, LENGTH_DELIMITED).string(request.host);
  writer.tag(2, LENGTH_DELIMITED).bytes(request.bytes);
  switch (answer.kind) {
    case 'files':
      writer.tag(4, LENGTH_DELIMITED).fork();
      for (const file of answer.files) writer.tag(1, LENGTH_DELIMITED).bytes(file);
      writer.join();
      break;
    case 'services':
      writer.tag(6, LENGTH_DELIMITED).fork();
      for (const name of answer.names) {
        writer.tag(1, LENGTH_DELIMITED).fork().tag(1, LENGTH_DELIMITED).string(name).join();
      }
      writer.join();
      break;
    case 'error':
      writer.tag(7, LENGTH_DELIMITED).fork();
      writer.tag(1, WireType.Varint).int32(answer.code).tag(2, LENGTH_DELIMITED).string(answer.message);
      writer.join();
      break;
  }
  return Buffer.from(writer.finish());
}
