/** A method as ts-proto's `outputServices=grpc-js` describes it. */
export interface MethodShape {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (value: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (value: Buffer) => unknown;
}

/** A generated service definition, for example `TrainerServiceService`. */
export type ServiceShape = Readonly<Record<string, MethodShape>>;

/** Request message of a method. */
export type RequestOf<M extends MethodShape> = ReturnType<M['requestDeserialize']>;

/** Response message of a method. */
export type ResponseOf<M extends MethodShape> = ReturnType<M['responseDeserialize']>;
