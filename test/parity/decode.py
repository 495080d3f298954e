"""Makes small image files of every format and reads them with keras.utils.image_dataset_from_directory.

    python decode.py FOLDER [PHOTOS]

writes FOLDER/images/<class>/<file>, takes some files of PHOTOS too, and prints the order and, for each size, the file with
the pixels (raw float32).
"""

import json
import pathlib
import shutil
import sys

import keras
import numpy as np
from PIL import Image

import formula

SIZES = [(180, 180), (61, 61)]


def make_images(folder):
    def pixels(name, height, width, channels):
        values = formula.images(name, (height, width, channels)).astype(np.uint8)
        return values[:, :, 0] if channels == 1 else values

    smooth = np.asarray(Image.fromarray(pixels("smooth", 9, 7, 3)).resize((233, 151), Image.BICUBIC))
    a, b = folder / "a", folder / "b"
    (b / "inner").mkdir(parents=True)
    a.mkdir(parents=True)
    Image.fromarray(smooth).save(a / "baseline.jpg", quality=83)
    Image.fromarray(smooth).save(a / "progressive.JPEG", quality=90, progressive=True, subsampling=0)
    Image.fromarray(smooth[:, :, 0]).save(a / "gray.jpg")
    Image.fromarray(smooth).convert("CMYK").save(a / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth).save(a / "rotated-by-exif.jpg", exif=exif)
    Image.fromarray(pixels("rgb", 61, 61, 3)).save(b / "same-size.png")
    Image.fromarray(pixels("rgba", 40, 90, 4)).save(b / "rgba.png")
    Image.fromarray(pixels("gray", 33, 20, 1)).save(b / "gray.png")
    Image.fromarray(smooth).convert("P", palette=Image.ADAPTIVE).save(b / "palette.png")
    Image.fromarray((formula.uniform("deep", (30, 30)) * 30000 + 32000).astype(np.uint16)).save(b / "deep.png")
    Image.fromarray(smooth).save(b / "inner" / "bitmap.bmp")
    frames = [Image.fromarray(smooth), Image.fromarray(255 - smooth)]
    frames[0].save(b / "inner" / "Animation.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(smooth).save(b / "1.bmp")


def main(folder, photos):
    images = folder / "images"
    make_images(images)
    if photos is not None:
        for photo in sorted(photos.iterdir())[:12]:
            shutil.copy(photo, images / "a" / f"photo-{photo.name}")
    result = {"sizes": []}
    for size in SIZES:
        data = keras.utils.image_dataset_from_directory(
            images, image_size=size, batch_size=1, shuffle=False, verbose=False
        )
        values = np.concatenate([image.numpy() for image, _ in data])
        values.astype(np.float32).tofile(folder / f"pixels-{size[0]}.f32")
        labels = [int(label[0]) for _, label in data]
        paths = [str(pathlib.Path(path).relative_to(images)) for path in data.file_paths]
        result["sizes"].append({"size": size[0], "paths": paths, "labels": labels})
    print(json.dumps(result))


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None)
