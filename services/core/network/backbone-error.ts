/** A backbone, layer or weight set that does not exist or does not fit. */
export class BackboneError extends Error {
  override readonly name = 'BackboneError';
  readonly backbone: string;
  readonly layer: string | null;

  constructor(message: string, details: { readonly backbone: string; readonly layer?: string }) {
    super(message);
    this.backbone = details.backbone;
    this.layer = details.layer ?? null;
  }
}
