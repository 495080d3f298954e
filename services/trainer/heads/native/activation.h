// Keras' activations and their derivatives, as in activation.ts.
#pragma once

#include <cmath>

namespace graft {

// Numbered as in native-head.ts.
enum class Activation { linear, relu, tanh, gelu, swish };

inline float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

inline float normal_distribution(float x) { return 0.5f * (1 + std::erf(x * 0.70710678f)); }

template <Activation KIND>
inline float activate(float x) {
  switch (KIND) {
    case Activation::linear:
      return x;
    case Activation::relu:
      // Not max(x, 0): NaN must stay NaN, or a run that diverged would appear sound.
      return x < 0 ? 0 : x;
    case Activation::tanh:
      return std::tanh(x);
    case Activation::gelu:
      return x * normal_distribution(x);
    case Activation::swish:
      return x * sigmoid(x);
  }
}

template <Activation KIND>
inline float derivative(float x) {
  switch (KIND) {
    case Activation::linear:
      return 1;
    case Activation::relu:
      return x > 0 ? 1 : 0;
    case Activation::tanh: {
      const float y = std::tanh(x);
      return 1 - y * y;
    }
    case Activation::gelu:
      return normal_distribution(x) + x * std::exp(-0.5f * x * x) * 0.39894228f;
    case Activation::swish: {
      const float s = sigmoid(x);
      return s + x * s * (1 - s);
    }
  }
}

// Calls `work` with the activation as a template argument, so that its loops are specialised.
template <class Work>
inline void with_activation(Activation kind, const Work& work) {
  switch (kind) {
    case Activation::linear:
      return work.template run<Activation::linear>();
    case Activation::relu:
      return work.template run<Activation::relu>();
    case Activation::tanh:
      return work.template run<Activation::tanh>();
    case Activation::gelu:
      return work.template run<Activation::gelu>();
    case Activation::swish:
      return work.template run<Activation::swish>();
  }
}

}  // namespace graft
