import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  /** Span kind: 1 internal, 2 server, 3 client, 5 consumer. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Parent span; empty for a root. */
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Names of the events, in order. */
  readonly events: readonly string[];
  readonly isError: boolean;
}

/** An OpenTelemetry collector in memory: OTLP over HTTP, protobuf. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request: IncomingMessage, response) => {
      void buffer(request).then((body) => {
        const isRight = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf';
        if (isRight) this.spans.push(...readRequest(body));
        response.writeHead(isRight ? 200 : 404).end();
      });
    });
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OtlpReceiver(server);
  }

  /** Returns the value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

type Fields = ReadonlyMap<number, readonly (Uint8Array | bigint | number)[]>;

/** Decodes ExportTraceServiceRequest of opentelemetry-proto 1.x; the numbers are those of its fields. */
function readRequest(body: Uint8Array): readonly ReceivedSpan[] {
  return messages(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const resource = messages(resourceSpans, 1)[0];
    const service = String((resource === undefined ? {} : attributesOf(resource, 1))['service.name']);
    return messages(resourceSpans, 2).flatMap((scopeSpans) =>
      messages(scopeSpans, 2).map((span) => readSpan(span, service)),
    );
  });
}

function readSpan(span: Fields, service: string): ReceivedSpan {
  const status = messages(span, 15)[0];
  return {
    service,
    name: text(span, 5),
    kind: Number(span.get(6)?.[0] ?? 0),
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    parentSpanId: hex(span, 4),
    attributes: attributesOf(span, 9),
    events: messages(span, 11).map((event) => text(event, 2)),
    isError: Number(status?.get(3)?.[0] ?? 0) === 2,
  };
}

function attributesOf(message: Fields, field: number): Record<string, string | number | boolean> {
  return Object.fromEntries(
    messages(message, field).flatMap((pair) => {
      const value = messages(pair, 2)[0];
      return value === undefined ? [] : [[text(pair, 1), valueOf(value)]];
    }),
  );
}

function valueOf(value: Fields): string | number | boolean {
  if (value.has(1)) return text(value, 1);
  if (value.has(2)) return value.get(2)?.[0] === 1n;
  return Number(value.get(3)?.[0] ?? value.get(4)?.[0] ?? Number.NaN);
}

function messages(message: Fields, field: number): readonly Fields[] {
  return (message.get(field) ?? []).filter((value) => value instanceof Uint8Array).map(fieldsOf);
}

function text(message: Fields, field: number): string {
  return Buffer.from((message.get(field)?.[0] ?? new Uint8Array()) as Uint8Array).toString('utf8');
}

function hex(message: Fields, field: number): string {
  return Buffer.from((message.get(field)?.[0] ?? new Uint8Array()) as Uint8Array).toString('hex');
}

function fieldsOf(bytes: Uint8Array): Fields {
  const fields = new Map<number, (Uint8Array | bigint | number)[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const values = fields.get(number) ?? [];
    fields.set(number, values);
    if (type === WireType.LengthDelimited) values.push(reader.bytes());
    else if (type === WireType.Varint) values.push(BigInt(reader.uint64()));
    else if (type === WireType.Bit64) values.push(reader.double());
    else reader.skip(type);
  }
  return fields;
}
