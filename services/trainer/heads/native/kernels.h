// The arithmetic that touches weights, compiled once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace graft {

// Keras' optimizers; numbered as in native-heads.ts.
enum class Rule { rmsprop, rmsprop_momentum, rmsprop_centered, rmsprop_centered_momentum, adam, sgd, sgd_momentum, sgd_nesterov };

constexpr int MAX_SLOTS = 3;

// A variable and its optimizer slots, all of one shape.
struct Trained {
  float* values = nullptr;
  float* slots[MAX_SLOTS] = {};
};

// What an optimizer does in one step.
struct Update {
  Rule rule = Rule::sgd;
  float rate = 0;
  // RMSprop's and SGD's; Adam's beta 1.
  float momentum = 0;
  // RMSprop's; Adam's beta 2.
  float rho = 0;
  float epsilon = 0;
  // Adam's rate with the corrections of its bias.
  float corrected_rate = 0;
  // AdamW's; 0: none.
  float weight_decay = 0;
};

// What becomes of a gradient before it is applied, in this order.
struct GradientChange {
  // Of the value that is added; 0 for biases.
  float l2_factor = 0;
  // Largest absolute value; 0: any.
  float value_limit = 0;
  // The gradient times `scale`, divided by `divisor`.
  float scale = 1;
  float divisor = 1;
};

// A dense layer's gradient, not yet multiplied out: inputs^T times output gradients.
struct GradientFactors {
  // [inputs][batch]
  const float* inputs = nullptr;
  // [batch][outputs]
  const float* output_gradients = nullptr;
  ptrdiff_t batch = 0;
  ptrdiff_t outputs = 0;
};

struct Kernels {
  const char* name;
  // Adds inputs^T times weights to out for the columns [first, last). inputs [depth][rows], weights [depth][columns], out
  // [rows][columns].
  void (*multiply)(const float* inputs, ptrdiff_t rows, const float* weights, ptrdiff_t depth, ptrdiff_t columns,
                   ptrdiff_t first, ptrdiff_t last, float* out);
  // Multiplies the gradient of the rows [first, last) out and applies it in place; it never is in memory.
  void (*update)(const GradientFactors& factors, const Trained& variable, ptrdiff_t first, ptrdiff_t last,
                 const GradientChange& change, const Update& update);
  // Sum of the gradient's squares, L2 included, in the rows [first, last).
  double (*gradient_squares)(const GradientFactors& factors, const float* values, ptrdiff_t first, ptrdiff_t last,
                             float l2_factor);
  // Sum of squares.
  double (*squares)(const float* values, ptrdiff_t count);
  // TensorFlow's StatelessRandomUniform of these seeds from element `first` on, as a dropout mask: 0 below the rate, else scale.
  void (*dropout_mask)(int32_t seed0, int32_t seed1, ptrdiff_t first, ptrdiff_t count, float rate, float scale, float* out);
};

// For the best instruction set of this machine, or the one named (avx512, avx2, basic); null where the machine lacks it.
const Kernels* find_kernels(const char* name);

}  // namespace graft
