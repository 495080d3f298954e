"""The backbones of services/core/network/backbones.ts, built by Keras without weights."""

import keras
from keras import applications, layers

import formula

ALPHAS = {"mobilenet": [0.25, 0.5, 0.75], "mobilenet_v2": [0.35, 0.5, 0.75, 1.3, 1.4]}

MODELS = {
    "vgg16": applications.VGG16,
    "vgg19": applications.VGG19,
    "xception": applications.Xception,
    "resnet50": applications.ResNet50,
    "resnet101": applications.ResNet101,
    "resnet152": applications.ResNet152,
    "resnet50_v2": applications.ResNet50V2,
    "resnet101_v2": applications.ResNet101V2,
    "resnet152_v2": applications.ResNet152V2,
    "mobilenet": applications.MobileNet,
    "mobilenet_v2": applications.MobileNetV2,
    **{f"efficientnet_b{index}": getattr(applications, f"EfficientNetB{index}") for index in range(8)},
    **{f"efficientnet_v2_b{index}": getattr(applications, f"EfficientNetV2B{index}") for index in range(4)},
    "densenet121": applications.DenseNet121,
    "densenet169": applications.DenseNet169,
    "densenet201": applications.DenseNet201,
}

NAMES = [*MODELS, *(f"{family}_{alpha}" for family, alphas in ALPHAS.items() for alpha in alphas)]
# Blocks and filters of each stage, as the published weights show them.
LITES = {
    "efficientnet_lite0": ([1, 2, 2, 3, 3, 4, 1], [16, 24, 40, 80, 112, 192, 320]),
    "efficientnet_lite1": ([1, 3, 3, 4, 4, 5, 1], [16, 24, 40, 80, 112, 192, 320]),
    "efficientnet_lite2": ([1, 3, 3, 4, 4, 5, 1], [16, 24, 48, 88, 120, 208, 352]),
}
BIG = {name for name in NAMES if name.startswith(("resnet101", "resnet152", "densenet2"))} | {
    f"efficientnet_b{index}" for index in range(4, 8)
}


def build(name, size):
    """Of a fresh session, so that layers without names of their own are numbered from the start."""
    keras.utils.clear_session()
    family, _, alpha = name.rpartition("_")
    shape = (size, size, 3)
    if name in LITES:
        return lite(size, *LITES[name])
    if family in ALPHAS and name not in MODELS:
        return MODELS[family](include_top=False, weights=None, input_shape=shape, alpha=float(alpha))
    return MODELS[name](include_top=False, weights=None, input_shape=shape)


def fill(model):
    """With the weights of the formula."""
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(formula.weight(f"{layer.name}/{variable.name}", tuple(variable.shape)))
        if isinstance(layer, layers.Normalization):
            # It computes with copies of its weights.
            layer.finalize_state()


def preprocess(name, images):
    """What `keras.applications` does before the model."""
    if name in LITES:
        return (images - 127.0) / 128.0
    module = next(
        module
        for prefix, module in [
            ("vgg", applications.vgg16),
            ("xception", applications.xception),
            ("mobilenet_v2", applications.mobilenet_v2),
            ("mobilenet", applications.mobilenet),
            ("efficientnet", applications.efficientnet),
            ("densenet", applications.densenet),
            ("resnet", applications.resnet_v2 if name.endswith("_v2") else applications.resnet),
        ]
        if name.startswith(prefix)
    )
    return module.preprocess_input(images)


def lite(size, repeats, filters):
    """Keras has no EfficientNet-Lite."""

    def norm_relu(x, prefix):
        x = layers.BatchNormalization(epsilon=1e-3, name=f"{prefix}_bn")(x)
        return layers.ReLU(6.0, name=f"{prefix}_activation")(x)

    image = keras.Input((size, size, 3))
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(image)
    x = norm_relu(x, "stem")
    stages = [(3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6)]
    for stage, (kernel, stride, expansion) in enumerate(stages, 1):
        for repeat in range(repeats[stage - 1]):
            name = f"block{stage}{chr(97 + repeat)}"
            inputs = x
            if expansion != 1:
                x = layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
                x = norm_relu(x, f"{name}_expand")
            step = stride if repeat == 0 else 1
            x = layers.DepthwiseConv2D(kernel, strides=step, padding="same", use_bias=False, name=f"{name}_dwconv")(x)
            x = norm_relu(x, name)
            x = layers.Conv2D(filters[stage - 1], 1, use_bias=False, name=f"{name}_project_conv")(x)
            x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_project_bn")(x)
            if step == 1 and inputs.shape[-1] == filters[stage - 1]:
                x = layers.Add(name=f"{name}_add")([x, inputs])
    x = layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x)
    return keras.Model(image, norm_relu(x, "top"))
