/** The exported model, for instructions on its use. */
export interface ExportedModel {
  readonly path: string;
  readonly classNames: readonly string[];
  /** Height and width in pixels. */
  readonly imageSize: number;
}

/** Describes input and output of an exported Keras model, with the lines of Python that give the probabilities of Graft. */
export function describeUse(model: ExportedModel): string {
  const { classNames, imageSize } = model;
  const classes = classNames.map((name) => `'${name}'`).join(', ');
  const [first = '', second = ''] = classNames;
  const output =
    classNames.length === 2
      ? `one number, the probability of '${second}'; that of '${first}' is 1 minus it`
      : `one probability for each class, in this order: ${classes}`;
  return [
    `Input   RGB, ${imageSize} × ${imageSize} pixels, values 0 to 255; the preprocessing of the base is inside the model`,
    `Output  ${output}`,
    '',
    'The probabilities of `graft predict`, in Python (another way to resize gives others; services/trainer/export/README.md):',
    '',
    ...pythonLines(model).map((line) => `    ${line}`),
  ].join('\n');
}

/** Returns five lines of Python that print the model's output for one image, decoded and resized as in training. */
function pythonLines({ path, imageSize }: ExportedModel, image = 'photo.jpg'): readonly string[] {
  return [
    'import keras, tensorflow as tf',
    `model = keras.models.load_model(${JSON.stringify(path)})`,
    `image = tf.io.decode_image(tf.io.read_file(${JSON.stringify(image)}), channels=3, expand_animations=False)`,
    `image = tf.image.resize(image, (${imageSize}, ${imageSize}))`,
    'print(model(image[None]).numpy()[0])',
  ];
}
