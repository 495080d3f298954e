import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, FileRegistry, Message } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { MethodShape } from '../../../services/platform/rpc/service-shape.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';

type Service = typeof TrainerServiceService;
type Rewrite = (bytes: Uint8Array, message: DescMessage) => Uint8Array;

const PROTO = new URL('../../../proto/', import.meta.url);
/** Field 19001, three bytes: no version of Graft has it. */
const FUTURE_FIELD = { no: 19_001, wireType: WireType.LengthDelimited, data: Uint8Array.of(3, 1, 2, 3) };

/**
 * Returns the service as a trainer or a coordinator of the committed baseline implements it: unknown fields are neither sent nor read.
 */
export function baselineService(): Service {
  const read = { readUnknownFields: false };
  return rewritten(registryOf('baseline.binpb'), (bytes, message) =>
    toBinary(message, fromBinary(message, bytes, read), { writeUnknownFields: false }),
  );
}

/**
 * Returns the service as a later version may implement it: every message in both directions has a field unknown to this
 * version.
 */
export function futureService(): Service {
  return rewritten(registryOf('gen/descriptor.binpb'), (bytes, message) => {
    const value = fromBinary(message, bytes);
    addFutureField(value);
    return toBinary(message, value);
  });
}

function registryOf(file: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(new URL(file, PROTO))));
}

function rewritten(registry: FileRegistry, rewrite: Rewrite): Service {
  const service = registry.getService('graft.v1.TrainerService');
  if (service === undefined) throw new Error('There is no graft.v1.TrainerService.');
  const methods = Object.entries(TrainerServiceService as Readonly<Record<string, MethodShape>>).flatMap(
    ([name, method]): [string, MethodShape][] => {
      const { input, output } = service.method[name] ?? {};
      if (input === undefined || output === undefined) return [];
      const own: MethodShape = {
        ...method,
        requestSerialize: (value: never) => Buffer.from(rewrite(method.requestSerialize(value), input)),
        requestDeserialize: (bytes) => method.requestDeserialize(Buffer.from(rewrite(bytes, input))),
        responseSerialize: (value: never) => Buffer.from(rewrite(method.responseSerialize(value), output)),
        responseDeserialize: (bytes) => method.responseDeserialize(Buffer.from(rewrite(bytes, output))),
      };
      return [[name, own]];
    },
  );
  return Object.fromEntries(methods) as unknown as Service;
}

function addFutureField(value: unknown): void {
  if (Array.isArray(value)) value.forEach(addFutureField);
  else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    if ('$typeName' in value) (value as Message).$unknown = [FUTURE_FIELD];
    Object.entries(value)
      .filter(([name]) => name !== '$unknown')
      .forEach(([, part]) => addFutureField(part));
  }
}
