/**
 * Version of everything that determines the numbers of a trained run: decoding, preprocessing, augmentation, initial weights, layers,
 * losses, optimizers, schedules and the order of the images. Raise it with a change after which the same parameters, images, weights
 * and seeds give other numbers: results of earlier versions are then not reused. A trainer reports the version of its own code.
 *
 * The kind of a device and its threads are not part of it: they change rounding, and a task may be leased to any slot of a cluster.
 */
export const RECIPE_VERSION = 1;
