"""Outputs and gradients of the backbones in Keras, with weights and images of a closed formula.

    python backbones.py FOLDER > backbones.json

writes each tensor in full (raw float32) and the names of the layers to FOLDER and prints each tensor's shape, its root mean
square and some of its values.
"""

import json
import pathlib
import sys
import unittest.mock

import keras
import numpy as np
import tensorflow as tf
from keras import layers, tree

import formula
import keras_models
from recording import recorded

SIZES = [75, 96]
# Second members of a family.
AT_ONE_SIZE = {"vgg19", "mobilenet_0.25", "mobilenet_v2_1.4", "efficientnet_lite1", "efficientnet_b0 published"}
BATCH = 2
SAMPLES = 24
EFFICIENTNET_STAGES = ["block1a_project_bn", "block2b_add", "block3b_add", "block4c_add", "block5c_add", "block6d_add", "block7a_project_bn"]
EFFICIENTNET_V2_STAGES = ["block1a_project_activation", "block2b_add", "block3b_add", "block4c_add", "block5e_add", "block6h_add"]

# For each backbone, the layers whose outputs are recorded and the lowest layer that receives gradients.
CASES = [
    ("vgg16", ["block1_conv1", "block3_conv3", "block4_pool", "block5_pool"], "block5_conv1"),
    ("vgg19", ["block4_pool", "block5_pool"], "block5_conv4"),
    ("xception", ["block1_conv2_act", "add", "add_5", "block14_sepconv2_act"], "block13_sepconv2"),
    ("resnet50", ["conv1_relu", "pool1_pool", "conv3_block1_out", "conv5_block3_out"], "conv5_block2_3_conv"),
    ("resnet50_v2", ["pool1_pool", "conv2_block3_out", "conv4_block6_out", "post_relu"], "conv5_block1_2_conv"),
    ("mobilenet", ["conv1_relu", "conv_pw_3_relu", "conv_pad_6", "conv_pw_13_relu"], "conv_dw_12"),
    ("mobilenet_0.25", ["conv_pw_13_relu"], "conv_pw_13"),
    ("mobilenet_v2", ["Conv1", "block_1_pad", "block_3_depthwise", "block_6_project_BN", "block_12_add", "out_relu"], "block_15_project"),
    ("mobilenet_v2_1.4", ["out_relu"], "block_16_project"),
    ("efficientnet_lite0", ["stem_activation", "block2b_add", "block5a_project_bn", "block6d_add", "top_activation"], "block6d_dwconv"),
    ("efficientnet_lite1", ["block2c_add", "block6e_add", "top_activation"], "block6e_dwconv"),
    ("efficientnet_lite2", ["stem_activation", "block2c_add", "block5d_add", "block6e_add", "top_activation"], "block6e_dwconv"),
    # The contribution of the images fades from block to block here, so each stage is checked.
    ("efficientnet_b0", ["normalization", "stem_activation", *EFFICIENTNET_STAGES, "top_activation"], "block6d_dwconv"),
    # As with weights="imagenet", where Keras adds a layer.
    ("efficientnet_b0 published", ["normalization", "rescaling_1", "top_activation"], "top_conv"),
    ("efficientnet_v2_b0", ["normalization", *EFFICIENTNET_V2_STAGES, "top_activation"], "block6g_project_conv"),
    ("densenet121", ["pool1", "conv2_block6_concat", "pool3_pool", "relu"], "conv5_block15_1_conv"),
]


def trained(model, first):
    names = [layer.name for layer in model.layers]
    chosen = model.layers[names.index(first) :]
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    return [(f"{layer.name}/{w.name}", w) for layer in chosen if isinstance(layer, kinds) for w in layer.weights]


def published(model, folder):
    """Keras' own path for weights="imagenet", with the file replaced by one of the model's weights."""
    path = folder / "published.weights.h5"
    model.save_weights(path)
    keras.utils.clear_session()
    with unittest.mock.patch("keras.src.applications.efficientnet.file_utils.get_file", return_value=str(path)):
        return keras.applications.EfficientNetB0(include_top=False, input_shape=model.input_shape[1:])


def main(folder):
    result = {"keras": keras.__version__, "tensorflow": tf.__version__, "cases": []}

    def record(tensors, name, value):
        value = np.asarray(value, np.float32)
        flat = value.reshape(-1)
        rms = float(np.sqrt(np.mean(np.square(flat, dtype=np.float64))))
        path = folder / f"{len(list(folder.iterdir()))}.f32"
        tensors.append({"name": name, "shape": list(value.shape), "rms": rms, **recorded(value, path, SAMPLES)})

    for backbone, probes, top in CASES:
        for size in SIZES[:1] if backbone in AT_ONE_SIZE else SIZES:
            model = keras_models.build(backbone.removesuffix(" published"), size)
            keras_models.fill(model)
            if backbone.endswith(" published"):
                model = published(model, folder)
            images = keras_models.preprocess(backbone, formula.images("images", (BATCH, size, size, 3)).copy())
            probe = keras.Model(model.input, [model.get_layer(name).output for name in probes])
            parameters = trained(model, top)
            with tf.GradientTape() as tape:
                values = tree.flatten(probe(images, training=False))
                factor = formula.uniform("factor", tuple(values[-1].shape)).astype(np.float32)
                loss = tf.reduce_sum(values[-1] * factor)
            gradients = tape.gradient(loss, [w.value for _, w in parameters])
            prepared, forward, backward = [], [], []
            record(prepared, "preprocessed", images)
            for name, value in zip(probes, values):
                record(forward, name, value)
            for (name, _), value in zip(parameters, gradients):
                record(backward, name, value)
            (folder / f"{backbone}-{size}.json").write_text(json.dumps([layer.name for layer in model.layers[1:]]))
            result["cases"].append({"backbone": backbone, "size": size, "top": top, "preprocessed": prepared[0], "outputs": forward, "gradients": backward})
    print(json.dumps(result))


main(pathlib.Path(sys.argv[1]))
