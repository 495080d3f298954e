/** A slot's TensorFlow and its device. */
export interface EngineInfo {
  readonly engineVersion: string;
  readonly deviceKind: 'cpu' | 'gpu';
  readonly deviceName: string;
  readonly threadCount: number;
  readonly memoryBytes: number;
}
