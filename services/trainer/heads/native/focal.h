// Gradient of the focal loss (Lin et al. 2017) as Keras defines it; focal.ts has the same on TensorFlow's ops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace graft {

struct Focal {
  // Exponent of (1 - probability); below 0: the loss is cross-entropy.
  float gamma = -1;
  // One output: weight of class 1, and 1 - alpha of class 0; NaN: no weights. More: factor of the loss.
  float alpha = 1;
};

// One sigmoid unit. Keras raises 1 - p_t to gamma, where p_t mixes both classes if the target is smoothed.
inline float focal_gradient_of_sigmoid(float logit, float target, const Focal& focal) {
  const double z = logit, t = target, gamma = focal.gamma;
  const double p = 1 / (1 + std::exp(-z)), q = 1 / (1 + std::exp(z));
  const double entropy = (z > 0 ? z : 0) - z * t + std::log1p(std::exp(-std::abs(z)));
  const double miss = t * q + (1 - t) * p;
  const double slope = miss > 0 ? p * q * entropy / miss : 0;
  const double weight = std::isnan(focal.alpha) ? 1 : t * focal.alpha + (1 - t) * (1 - focal.alpha);
  return static_cast<float>(weight * std::pow(miss, gamma) * (gamma * (1 - 2 * t) * slope + p - t));
}

// Softmax over `outputs` logits. Writes one gradient per logit.
inline void focal_gradient_of_softmax(const float* logits, const float* targets, ptrdiff_t outputs, const Focal& focal,
                                      float* gradients) {
  const double largest = *std::max_element(logits, logits + outputs);
  double total = 0;
  for (ptrdiff_t o = 0; o < outputs; o++) total += std::exp(logits[o] - largest);
  const double log_total = std::log(total);
  // Gradients with respect to the logarithms of the probabilities.
  double sum = 0;
  const auto of_logarithm = [&](ptrdiff_t o) {
    if (targets[o] == 0) return 0.0;
    const double log_p = logits[o] - largest - log_total;
    // Exact where the probability is near 1, unlike 1 - exp(log_p).
    const double miss = -std::expm1(log_p);
    const double ratio = miss > 0 ? log_p / miss : 0;
    return focal.alpha * targets[o] * std::pow(miss, static_cast<double>(focal.gamma)) *
           (focal.gamma * std::exp(log_p) * ratio - 1);
  };
  for (ptrdiff_t o = 0; o < outputs; o++) sum += of_logarithm(o);
  for (ptrdiff_t o = 0; o < outputs; o++) {
    const double p = std::exp(logits[o] - largest - log_total);
    gradients[o] = static_cast<float>(of_logarithm(o) - p * sum);
  }
}

}  // namespace graft
