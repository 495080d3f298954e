/** What ts-proto's `outputServices=grpc-js` says about one call. */
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

/** Message a call takes. */
export type RequestOf<M extends MethodShape> = ReturnType<M['requestDeserialize']>;

/** Message a call answers with. */
export type ResponseOf<M extends MethodShape> = ReturnType<M['responseDeserialize']>;
