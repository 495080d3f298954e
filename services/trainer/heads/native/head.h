// One head: its variables, its optimizer slots and the parts of a training step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "activation.h"
#include "focal.h"
#include "kernels.h"

namespace graft {

// Numbered as in native-head.ts.
enum class Clipping { none, norm, global_norm, value };

struct HeadConfig {
  ptrdiff_t inputs = 0;
  // Units of the hidden layers.
  std::vector<ptrdiff_t> units;
  ptrdiff_t outputs = 0;
  Activation activation = Activation::linear;
  // Dropout rate, and the factor for kept values.
  float dropout = 0;
  float dropout_scale = 1;
  float l2 = 0;
  Update optimizer;
  // Batches of one update; 1 without gradient accumulation.
  int accumulation_steps = 1;
  // True to keep a moving average of the weights, with which the head predicts.
  bool is_averaged = false;
  Clipping clipping = Clipping::none;
  float clipping_limit = 0;
};

// Images in the layout that a step reads: [features][rows].
struct Batch {
  const float* features = nullptr;
  ptrdiff_t rows = 0;
};

// Inputs of one head's step apart from the images.
struct Step {
  // [rows][outputs]
  const float* targets = nullptr;
  // [rows]
  const float* sample_weights = nullptr;
  // A pair of seeds for each dropout mask.
  const int32_t* seeds = nullptr;
  float rate = 0;
  // As in Update.
  float momentum = 0;
  bool is_applied = true;
  float average_momentum = 0;
  Focal focal;
  // Adam's betas to the power of the step number, which starts at 1.
  float beta1_power = 0;
  float beta2_power = 0;
  // [rows][outputs], before sigmoid or softmax.
  float* logits = nullptr;
};

// Zero-initialised memory, in huge pages if it is large, because a step traverses all of it.
class Arena {
 public:
  explicit Arena(size_t floats);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  float* take(size_t floats);

 private:
  float* memory_;
  size_t taken_ = 0;
};

struct Layer {
  ptrdiff_t inputs = 0;
  ptrdiff_t outputs = 0;
  Trained kernel;
  Trained bias;
  // [rows][outputs], before the activation.
  std::vector<float> sums;
  // [rows][outputs] of the activations; empty without dropout.
  std::vector<float> mask;
  // [outputs][rows], after activation and dropout: the input of the next layer.
  std::vector<float> activated;
  // [rows][outputs], with respect to `sums`; and [outputs][rows].
  std::vector<float> gradients;
  std::vector<float> gradients_transposed;
  // [outputs][inputs]
  std::vector<float> kernel_transposed;
  // Squares of the kernel and of its gradient by blocks of rows, summed in a fixed order regardless of the thread.
  std::vector<double> kernel_squares;
  std::vector<double> gradient_squares;
};

// Number of kernel rows whose squares are summed together.
constexpr ptrdiff_t SQUARES_ROWS = 64;

class Head {
 public:
  Head(const HeadConfig& config, const Kernels& kernels);

  const HeadConfig& config() const { return config_; }
  std::vector<Layer>& layers() { return layers_; }
  int slot_count() const { return slot_count_; }
  // Bytes of the largest kernel.
  size_t kernel_bytes() const;
  int mask_count() const;

  // The parts of a step, in this order; those with a piece argument may run on several threads at once.
  void begin(const Batch& batch, const Step* step);
  void forward(size_t layer, int piece, int pieces);
  void output(float* logits);
  void backward(size_t layer, int piece, int pieces);
  void measure_gradients(int piece, int pieces);
  void begin_update();
  void update(int piece, int pieces);

  // Whether the step applies gradients clipped by a norm, which `measure_gradients` must provide.
  bool clips_by_norm() const {
    return step_->is_applied && (config_.clipping == Clipping::norm || config_.clipping == Clipping::global_norm);
  }
  // L2 part of the loss, after all pieces of `forward` of a training step.
  double penalty() const;
  // The same for the current kernels, as averaged if they are.
  double penalty_now();

 private:
  const float* inputs_of(size_t layer) const;
  const float* values_of(const Trained& variable) const;
  bool drops_features() const { return config_.units.empty() && config_.dropout > 0; }
  GradientFactors factors_of(size_t layer) const;
  GradientFactors bias_factors_of(size_t layer) const;
  void measure_kernel(Layer& layer, const float* values, ptrdiff_t first, ptrdiff_t last);

  HeadConfig config_;
  const Kernels& kernels_;
  int slot_count_;
  Arena arena_;
  std::vector<Layer> layers_;
  Batch batch_;
  // Null outside training.
  const Step* step_ = nullptr;
  // The features after dropout, [features][rows].
  std::vector<float> dropped_features_;
  std::vector<float> ones_;
  Update update_;
  // One per kernel and bias of each layer.
  std::vector<GradientChange> changes_;
};

int slots_of(const HeadConfig& config);

}  // namespace graft
