/** Backbones that a sweep may name. The trainer's registry must hold each of them (a test compares the two). */
export const BACKBONE_NAMES: readonly string[] = ['vgg16', 'mobilenet_v2', 'efficientnet_lite0'];

export const DEFAULT_BACKBONE = 'efficientnet_lite0';
