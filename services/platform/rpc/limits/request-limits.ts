import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import type { FileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { InvalidRequestError } from '../../../core/errors.ts';
import { checkMessage } from './check-message.ts';
import { MessageRules } from './message-rules.ts';
import type { MessageRule, RequestLimitTable } from './message-rules.ts';
import { UnreadableMessageError } from './wire-cursor.ts';

interface MethodRule {
  readonly typeName: string;
  readonly message: MessageRule;
  readonly maxBytes: number;
}

/** Checks encoded requests against a table of limits, by the path of their method. */
export class RequestLimits {
  readonly #methods = new Map<string, MethodRule>();

  /**
   * @param descriptors a serialized `google.protobuf.FileDescriptorSet`
   * @param packageName package of the services and of the table's messages
   * @throws Error for an entry of the table that names no message or field
   */
  constructor(descriptors: Uint8Array, packageName: string, table: RequestLimitTable) {
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));
    const rules = new MessageRules(registry, packageName, table);
    for (const { path, typeName } of methodsOf(registry, packageName)) {
      this.#methods.set(path, { typeName, message: rules.of(typeName), maxBytes: rules.requestBytes(typeName) });
    }
  }

  /**
   * Checks an encoded request, or one message of a request stream.
   *
   * @param path for example `/graft.v1.SweepService/PlanSweep`; methods of other packages have no limits
   * @throws InvalidRequestError with a violation per field: path, received value and limit
   */
  check(path: string, bytes: Uint8Array): void {
    const method = this.#methods.get(path);
    if (method === undefined) return;
    if (bytes.length > method.maxBytes) {
      const description = `the request may have at most ${method.maxBytes} bytes; received ${bytes.length}.`;
      throw new InvalidRequestError([{ field: '', description }]);
    }
    const violations = checkOf(method, bytes);
    if (violations.length > 0) throw new InvalidRequestError(violations);
  }
}

function checkOf(method: MethodRule, bytes: Uint8Array): ReturnType<typeof checkMessage> {
  try {
    return checkMessage(method.message, bytes);
  } catch (error) {
    if (!(error instanceof UnreadableMessageError)) throw error;
    throw unreadable(method.typeName, error.message);
  }
}

/** Returns the error for bytes that do not decode as the type. */
export function unreadable(typeName: string, detail: string): InvalidRequestError {
  return new InvalidRequestError([{ field: '', description: `the bytes are no ${typeName}: ${detail}.` }]);
}

function methodsOf(
  registry: FileRegistry,
  packageName: string,
): { readonly path: string; readonly typeName: string }[] {
  return [...registry].flatMap((type) =>
    type.kind === 'service' && type.typeName.startsWith(`${packageName}.`)
      ? type.methods.map(({ name, input }) => ({ path: `/${type.typeName}/${name}`, typeName: input.typeName }))
      : [],
  );
}
