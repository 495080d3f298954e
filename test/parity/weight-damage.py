"""Writes weight files of a small base, as Keras and others save them and as they get damaged.

    python weight-damage.py FOLDER
"""

import pathlib
import shutil
import sys
import zipfile

import h5py
import keras
import ml_dtypes
import numpy as np

import keras_models

SMALL = "mobilenet_0.25"
# Filters that h5py does not have itself, by registered number.
FOREIGN_FILTERS = {"szip": 4, "bzip2": 307, "blosc": 32001, "zstd": 32015, "unregistered": 40000}


def datasets(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def rewrite(source, target, convert, **storage):
    """Copies the file with other values, types or storage of its tensors."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        for name in datasets(file):
            values = convert(file[name][()])
            del file[name]
            file.create_dataset(name, data=values, **(storage if values.shape else {}))


def first_kernel(file):
    return next(name for name in datasets(file) if name.split("/")[-1].startswith("kernel"))


def replace_first_kernel(source, target, replace):
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        name = first_kernel(file)
        values = file[name][()]
        del file[name]
        replace(file, name, values)


def with_filter(number):
    def replace(file, name, values):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(values.shape)
        # Optional: the library that writes does not have it either, and stores the chunk as it is.
        plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(values.shape)
        group, _, leaf = name.rpartition("/")
        dataset = h5py.h5d.create(file[group].id, leaf.encode(), h5py.h5t.IEEE_F32LE, space, plist)
        dataset.write_direct_chunk((0,) * values.ndim, values.tobytes())

    return replace


def save_formats(folder, source):
    rewrite(source, folder / "float16.h5", lambda values: values.astype("float16"))
    rewrite(source, folder / "float64.h5", lambda values: values.astype("float64"))
    rewrite(source, folder / "big-endian.h5", lambda values: values.astype(">f4"))
    rewrite(source, folder / "integers.h5", lambda values: np.round(values * 100).astype("int8"))
    rewrite(source, folder / "gzip.h5", lambda values: values, compression="gzip", shuffle=True, fletcher32=True)
    rewrite(source, folder / "lzf.h5", lambda values: values, compression="lzf")
    rewrite(source, folder / "too-large.h5", lambda values: values.astype("float64") * 1e300)
    rewrite(source, folder / "column-major.h5", lambda values: values.T)
    rewrite(source, folder / "opaque.h5", lambda values: values.astype(ml_dtypes.bfloat16))
    # A byte of a packed chunk, which its checksum covers.
    shutil.copy(folder / "gzip.h5", folder / "flipped.h5")
    with h5py.File(folder / "gzip.h5") as file:
        offset = file[first_kernel(file)].id.get_chunk_info(0).byte_offset
    with open(folder / "flipped.h5", "r+b") as file:
        file.seek(offset + 40)
        byte = file.read(1)[0]
        file.seek(offset + 40)
        file.write(bytes([byte ^ 1]))
    for name, number in FOREIGN_FILTERS.items():
        replace_first_kernel(source, folder / f"{name}.h5", with_filter(number))


def save_bfloat16(folder, source):
    # As Keras stores variables of that type.
    shutil.copy(source, folder / "bfloat16.weights.h5")
    with h5py.File(folder / "bfloat16.weights.h5", "r+") as file:
        for name in datasets(file):
            values = file[name][()].astype(ml_dtypes.bfloat16)
            del file[name]
            file.create_dataset(name, data=values).attrs["dtype"] = "bfloat16"
    # As an HDF5 number type, which has the size of float16.
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_precision(16)
    kind.set_size(2)
    shutil.copy(source, folder / "bfloat16-type.weights.h5")
    with h5py.File(folder / "bfloat16-type.weights.h5", "r+") as file:
        for name in datasets(file):
            values = file[name][()]
            group, _, leaf = name.rpartition("/")
            del file[name]
            dataset = h5py.h5d.create(file[group].id, leaf.encode(), kind, h5py.h5s.create_simple(values.shape))
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)


def save_elsewhere(folder, source):
    def virtual(file, name, values):
        layout = h5py.VirtualLayout(shape=values.shape, dtype="float32")
        layout[...] = h5py.VirtualSource("elsewhere.h5", "kernel", shape=values.shape)
        file.create_virtual_dataset(name, layout)

    def raw(file, name, values):
        (folder / "raw.bin").write_bytes(values.tobytes())
        file.create_dataset(name, shape=values.shape, dtype="float32", external=[("raw.bin", 0, h5py.h5f.UNLIMITED)])

    def huge(file, name, values):
        shape = (1 << 30, *values.shape)
        file.create_dataset(name, shape=shape, dtype="float32", chunks=(1, *values.shape))

    def chunk(file, name, values):
        file.create_dataset(
            name, shape=values.shape, maxshape=(None,) * values.ndim, dtype="float32", chunks=(1 << 12, 4, 4, 1 << 12)
        )

    replace_first_kernel(source, folder / "virtual.h5", virtual)
    replace_first_kernel(source, folder / "raw.h5", raw)
    replace_first_kernel(source, folder / "huge.h5", huge)
    replace_first_kernel(source, folder / "chunk.h5", chunk)
    # Every tensor declared, none written.
    shutil.copy(source, folder / "unwritten.h5")
    with h5py.File(folder / "unwritten.h5", "r+") as file:
        shapes = {name: file[name].shape for name in datasets(file)}
        for name, shape in shapes.items():
            del file[name]
            file.create_dataset(name, shape=shape, dtype="float32")
    with h5py.File(folder / "unwritten.h5") as file, h5py.File(folder / "unwritten-packed.h5", "w") as target:
        file.copy("model_weights", target)


def save_nested(folder, base):
    shape = base.input_shape[1:]

    def around(name, inner):
        inputs = keras.Input(shape)
        return keras.Model(inputs, keras.layers.ReLU()(inner(inputs)), name=name)

    def with_head(inner):
        inputs = keras.Input(shape)
        return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(inner(inputs))))

    sequential = keras.Sequential([keras.Input(shape), base, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    base.trainable = False
    frozen = with_head(base)
    frozen.save(folder / "frozen.h5")
    base.trainable = True
    clip = keras.Input((2, *shape))
    timed = keras.layers.TimeDistributed(base)(clip)
    models = {
        "nested": with_head(base),
        "two-deep": with_head(around("middle", base)),
        "three-deep": with_head(around("outer", around("inner", base))),
        "sequential": sequential,
        "timed": keras.Model(clip, keras.layers.GlobalAveragePooling3D()(timed)),
    }
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        model.save_weights(folder / f"{name}.weights.h5")
    other = keras_models.build(SMALL, 75)
    keras_models.fill(other)
    other.name = "other"
    inputs = keras.Input(shape)
    twins = keras.Model(inputs, keras.layers.Concatenate()([base(inputs), other(inputs)]))
    twins.save(folder / "twins.keras")
    twins.save(folder / "twins.h5")


def main(folder):
    base = keras_models.build(SMALL, 75)
    keras_models.fill(base)
    base.save(folder / "plain.h5")
    base.save_weights(folder / "plain.weights.h5")
    save_formats(folder, folder / "plain.h5")
    save_bfloat16(folder, folder / "plain.weights.h5")
    save_elsewhere(folder, folder / "plain.h5")
    save_nested(folder, base)


main(pathlib.Path(sys.argv[1]))
