"""Converts an EfficientNet-Lite of EfficientNet-PyTorch to safetensors, with Keras' names and TensorFlow's order of axes.

    python efficientnet_lite.py SOURCE.pth TARGET.safetensors METADATA REPEATS

METADATA is a JSON object of strings for the target's header; REPEATS lists the blocks of each stage (1,2,2,3,3,4,1 for Lite0). Prints
the number of tensors.

Reads PyTorch's legacy format (torch.save before 1.6): a magic number, a protocol number and facts of the writing system, each a
pickle; the pickled state dict, whose tensors name their storages by persistent ids; the pickled list of storage keys; then each
storage's length and its little-endian numbers. A pickle is a program, so the unpickler knows only the four globals that a state
dict needs. Uses nothing but the standard library.
"""

import array
import collections
import itertools
import json
import pickle
import struct
import sys

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

STEM_AND_TOP = {"_conv_stem": "stem_conv", "_bn0": "stem_bn", "_conv_head": "top_conv", "_bn1": "top_bn"}
IN_BLOCK = {
    "_expand_conv": "expand_conv",
    "_bn0": "expand_bn",
    "_depthwise_conv": "dwconv",
    "_bn1": "bn",
    "_project_conv": "project_conv",
    "_bn2": "project_bn",
}
# From (out, in, height, width) to (height, width, in, out), and for a depthwise kernel to (height, width, channels, 1).
KERNEL_AXES = [2, 3, 1, 0]
DEPTHWISE_AXES = [2, 3, 0, 1]
BATCH_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


class FormatError(Exception):
    """The file is not a state dict of an EfficientNet-Lite in the legacy format."""


class Storage:
    def __init__(self, typecode, length):
        self.typecode, self.length, self.data = typecode, length, None


class Tensor:
    def __init__(self, storage, offset, shape, strides, *_):
        if not isinstance(storage, Storage):
            raise FormatError("a tensor without a storage")
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides))
        if offset < 0 or min(shape, default=1) < 1 or min(strides, default=0) < 0 or last >= storage.length:
            raise FormatError(f"a tensor of shape {shape} and strides {strides} leaves its storage of {storage.length} numbers")
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)

    def arranged(self, axes):
        """Returns shape and numbers in row-major order with the axes in another order."""
        *outer, inner = axes
        length, step = self.shape[inner], self.strides[inner] or 1
        numbers = array.array(self.storage.typecode)
        for index in itertools.product(*(range(self.shape[axis]) for axis in outer)):
            start = self.offset + sum(i * self.strides[axis] for i, axis in zip(index, outer))
            numbers.extend(self.storage.data[start : start + (length - 1) * step + 1 : step])
        return tuple(self.shape[axis] for axis in axes), numbers


GLOBALS = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    # Named only inside persistent ids, never called.
    ("torch", "FloatStorage"): "f",
    ("torch", "LongStorage"): "q",
}


class StateDictUnpickler(pickle.Unpickler):
    """An unpickler that can name nothing but the parts of a state dict."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) not in GLOBALS:
            raise FormatError(f"the file asks for {module}.{name}, which is no part of a state dict")
        return GLOBALS[module, name]

    def persistent_load(self, pid):
        kind, typecode, key, _, length = pid[:5]
        if kind != "storage" or typecode not in ("f", "q"):
            raise FormatError(f"a persistent id {pid!r}")
        return self.storages.setdefault(key, Storage(typecode, length))


def read_state_dict(file):
    """Returns the tensors by name, in the order of the file."""
    if StateDictUnpickler(file).load() != MAGIC_NUMBER or StateDictUnpickler(file).load() != PROTOCOL_VERSION:
        raise FormatError("not a file of torch.save in its legacy format")
    if StateDictUnpickler(file).load().get("little_endian") is not True:
        raise FormatError("written on a machine that is not little-endian")
    unpickler = StateDictUnpickler(file)
    tensors = unpickler.load()
    for key in StateDictUnpickler(file).load():
        if key not in unpickler.storages:
            raise FormatError(f"storage {key} belongs to no tensor")
        read_storage(file, key, unpickler.storages[key])
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise FormatError(f"the entry {name} is no tensor")
        if tensor.storage.data is None:
            raise FormatError(f"the storage of {name} is missing")
    return tensors


def read_storage(file, key, storage):
    (length,) = struct.unpack("<q", file.read(8))
    if length != storage.length:
        raise FormatError(f"storage {key} has {length} numbers instead of {storage.length}")
    storage.data = array.array(storage.typecode)
    storage.data.frombytes(file.read(length * storage.data.itemsize))
    if len(storage.data) != length:
        raise FormatError(f"the file ends inside storage {key}")


def block_names(repeats):
    """Returns Keras' names of the blocks, by their number in the source."""
    return [f"block{stage}{chr(97 + index)}" for stage, count in enumerate(repeats, 1) for index in range(count)]


def convert(tensors, blocks):
    """Returns (name, shape, float32 numbers) for every tensor but the classifier's and the batch counters."""
    for name, tensor in tensors.items():
        if name.startswith("_fc.") or name.endswith(".num_batches_tracked"):
            continue
        part = name.rsplit(".", 1)[-1]
        is_kernel = part == "weight" and len(tensor.shape) == 4
        layer = layer_of(name, blocks)
        variable = "kernel" if is_kernel else BATCH_NORM.get(part)
        if layer is None or variable is None or ("conv" if is_kernel else "bn") not in layer:
            raise FormatError(f'"{name}" is no tensor of this EfficientNet-Lite')
        if tensor.storage.typecode != "f":
            raise FormatError(f"{name} holds no float32 numbers")
        axes = [0] if not is_kernel else DEPTHWISE_AXES if layer.endswith("dwconv") else KERNEL_AXES
        yield (f"{layer}/{variable}", *tensor.arranged(axes))


def layer_of(name, blocks):
    first, *rest = name.split(".")
    if first != "_blocks":
        return STEM_AND_TOP.get(first)
    block, part = int(rest[0]), IN_BLOCK.get(rest[1])
    return f"{blocks[block]}_{part}" if block < len(blocks) and part is not None else None


def write_safetensors(file, tensors, metadata):
    """Writes https://github.com/huggingface/safetensors: length of the header, header padded to 8 bytes, numbers."""
    header, end = {"__metadata__": metadata}, 0
    for name, shape, numbers in tensors:
        size = len(numbers) * numbers.itemsize
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<q", len(text)) + text)
    for _, _, numbers in tensors:
        file.write(numbers.tobytes())


def main(source, target, metadata, repeats):
    blocks = block_names([int(count) for count in repeats.split(",")])
    with open(source, "rb") as file:
        try:
            tensors = list(convert(read_state_dict(file), blocks))
        except (pickle.UnpicklingError, EOFError, IndexError, ValueError, TypeError, AttributeError, struct.error) as error:
            raise FormatError(f"{type(error).__name__}: {error}") from error
    with open(target, "wb") as file:
        write_safetensors(file, tensors, json.loads(metadata))
    print(len(tensors))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except FormatError as error:
        sys.exit(str(error))
