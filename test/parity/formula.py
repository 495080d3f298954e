"""Closed formula of (name, index) that fills weights and images on both sides; formula.ts is its twin."""

import numpy as np


def uniform(name, shape):
    """Float64 numbers in [-1, 1)."""
    seed = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in name.encode():
            seed = np.uint32((seed ^ np.uint32(byte)) * np.uint32(16777619))
        x = np.arange(int(np.prod(shape)), dtype=np.uint32) * np.uint32(2654435761) + seed
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x7FEB352D)
        x ^= x >> np.uint32(15)
        x *= np.uint32(0x846CA68B)
        x ^= x >> np.uint32(16)
    return (x.astype(np.float64) / 2**31 - 1.0).reshape(shape)


def weight(name, shape):
    role = name.rsplit("/", 1)[1]
    value = uniform(name, shape)
    if role.endswith("kernel"):
        # A depthwise kernel ends in (channels, 1): each output sees one channel.
        fan_in = np.prod(shape[:2]) if shape[-1] == 1 else np.prod(shape[:3])
        return (value * np.sqrt(3.0 / fan_in)).astype(np.float32)
    if role == "count":
        return np.zeros(shape, np.float32)
    if role == "gamma":
        return (1.0 + 0.2 * value).astype(np.float32)
    if role.endswith("variance"):
        return (1.0 + 0.5 * value).astype(np.float32)
    return (0.2 * value).astype(np.float32)


def images(name, shape):
    """Returns integers from 0 to 255 as float32: neighbouring pixels are unrelated, the hardest case for interpolation."""
    return np.floor((uniform(name, shape) + 1.0) * 128.0).astype(np.float32)
