// The arithmetic that touches weights, compiled once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace graft {

// Keras' optimizers; numbered as in native-head.ts.
enum class Rule { rmsprop, rmsprop_momentum, rmsprop_centered, rmsprop_centered_momentum, adam, sgd, sgd_momentum, sgd_nesterov };

// Those of an update rule, the accumulated gradients and the moving average.
constexpr int MAX_SLOTS = 5;

// A variable and its optimizer slots, all of one shape.
struct Trained {
  float* values = nullptr;
  // Those of the update rule come first.
  float* slots[MAX_SLOTS] = {};
  // The slot with the sum of the gradients since the last update; null without gradient accumulation.
  float* accumulated = nullptr;
  // The slot with the moving average of the values; null without one.
  float* average = nullptr;
};

// Parameters of an optimizer's update in one step.
struct Update {
  Rule rule = Rule::sgd;
  float rate = 0;
  // Momentum of RMSprop and SGD; beta 1 of Adam.
  float momentum = 0;
  // Rho of RMSprop; beta 2 of Adam.
  float rho = 0;
  float epsilon = 0;
  // Adam's rate including its bias corrections.
  float corrected_rate = 0;
  // AdamW's weight decay; 0 for none.
  float weight_decay = 0;
  // False for a step that only accumulates its gradients.
  bool is_applied = true;
  // Gradients whose mean is applied.
  float accumulation_steps = 1;
  // Share of the moving average that remains in this step.
  float average_momentum = 0;
};

// Changes to a gradient before it is applied, in this order.
struct GradientChange {
  // Factor of the value that is added to the gradient; 0 for biases.
  float l2_factor = 0;
  // Largest absolute value; 0 for no limit.
  float value_limit = 0;
  // The gradient is multiplied by `scale` and divided by `divisor`.
  float scale = 1;
  float divisor = 1;
};

// A dense layer's gradient in factored form: inputs^T times output gradients.
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
  // Computes the gradient of the rows [first, last) and applies or accumulates it in place; it is never in memory.
  void (*update)(const GradientFactors& factors, const Trained& variable, ptrdiff_t first, ptrdiff_t last,
                 const GradientChange& change, const Update& update);
  // Returns the sum of the squares of the gradient to apply, before clipping, in the rows [first, last).
  double (*gradient_squares)(const GradientFactors& factors, const Trained& variable, ptrdiff_t first, ptrdiff_t last,
                             float l2_factor, float accumulation_steps);
  // Returns the sum of squares.
  double (*squares)(const float* values, ptrdiff_t count);
  // Writes a dropout mask from TensorFlow's StatelessRandomUniform of these seeds, starting at element `first`: 0 below
  // the rate, else scale.
  void (*dropout_mask)(int32_t seed0, int32_t seed1, ptrdiff_t first, ptrdiff_t count, float rate, float scale, float* out);
};

// Returns the kernels for the best instruction set of this machine, or for the named one (avx512, avx2, basic); null if
// unsupported.
const Kernels* find_kernels(const char* name);

}  // namespace graft
