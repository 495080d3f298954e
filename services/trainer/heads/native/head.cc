#include "head.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace graft {
namespace {

constexpr size_t HUGE_PAGE = size_t{2} << 20;
// Below this size, rounding up to whole huge pages would waste more than a tenth.
constexpr size_t HUGE_PAGES_FROM = 20 * HUGE_PAGE;
constexpr size_t LINE_FLOATS = 16;

size_t padded(size_t floats) { return (floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS; }

// Returns a piece's part of [0, count), in multiples of `unit`.
std::pair<ptrdiff_t, ptrdiff_t> range_of(ptrdiff_t count, ptrdiff_t unit, int piece, int pieces) {
  const ptrdiff_t units = (count + unit - 1) / unit;
  return {std::min(count, units * piece / pieces * unit), std::min(count, units * (piece + 1) / pieces * unit)};
}

size_t floats_of(const HeadConfig& config) {
  size_t floats = 0;
  ptrdiff_t inputs = config.inputs;
  for (size_t layer = 0; layer <= config.units.size(); layer++) {
    const ptrdiff_t outputs = layer < config.units.size() ? config.units[layer] : config.outputs;
    floats += padded(inputs * outputs) + padded(outputs);
    inputs = outputs;
  }
  return floats * (1 + slots_of(config));
}

int slots_of_rule(Rule rule) {
  switch (rule) {
    case Rule::sgd:
      return 0;
    case Rule::rmsprop:
    case Rule::sgd_momentum:
    case Rule::sgd_nesterov:
      return 1;
    case Rule::rmsprop_momentum:
    case Rule::rmsprop_centered:
    case Rule::adam:
      return 2;
    case Rule::rmsprop_centered_momentum:
      return 3;
  }
  return 0;
}

// Transposes some rows of [rows][columns] into [columns][rows], in squares, so that both sides touch few cache lines.
void transpose(const float* from, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t first, ptrdiff_t last, float* to) {
  constexpr ptrdiff_t SIDE = 16;
  for (ptrdiff_t r0 = first; r0 < last; r0 += SIDE) {
    for (ptrdiff_t c0 = 0; c0 < columns; c0 += SIDE) {
      for (ptrdiff_t r = r0; r < std::min(last, r0 + SIDE); r++)
        for (ptrdiff_t c = c0; c < std::min(columns, c0 + SIDE); c++) to[c * rows + r] = from[r * columns + c];
    }
  }
}

// activated[column][row] = activation of sums[row][column], times the mask, for some columns.
struct Activating {
  const Layer& layer;
  ptrdiff_t rows, first, last;
  float* activated;

  template <Activation KIND>
  void run() const {
    constexpr ptrdiff_t SIDE = 16;
    for (ptrdiff_t c0 = first; c0 < last; c0 += SIDE) {
      for (ptrdiff_t r = 0; r < rows; r++) {
        const float* sums = layer.sums.data() + r * layer.outputs;
        const float* mask = layer.mask.empty() ? nullptr : layer.mask.data() + r * layer.outputs;
        for (ptrdiff_t c = c0; c < std::min(last, c0 + SIDE); c++) {
          const float value = activate<KIND>(sums[c]);
          activated[c * rows + r] = mask == nullptr ? value : value * mask[c];
        }
      }
    }
  }
};

// Multiplies gradients[row][column] by mask and derivative, for some columns.
struct Differentiating {
  Layer& layer;
  ptrdiff_t rows, first, last;

  template <Activation KIND>
  void run() const {
    for (ptrdiff_t r = 0; r < rows; r++) {
      float* gradients = layer.gradients.data() + r * layer.outputs;
      const float* sums = layer.sums.data() + r * layer.outputs;
      const float* mask = layer.mask.empty() ? nullptr : layer.mask.data() + r * layer.outputs;
      for (ptrdiff_t c = first; c < last; c++) {
        const float dropped = mask == nullptr ? gradients[c] : gradients[c] * mask[c];
        gradients[c] = dropped * derivative<KIND>(sums[c]);
      }
    }
  }
};

double sum_of(const std::vector<double>& parts) {
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

}  // namespace

int slots_of(const HeadConfig& config) {
  return slots_of_rule(config.optimizer.rule) + (config.accumulation_steps > 1) + config.is_averaged;
}

Arena::Arena(size_t floats) {
  const bool is_huge = floats * sizeof(float) >= HUGE_PAGES_FROM;
  const size_t unit = is_huge ? HUGE_PAGE : LINE_FLOATS * sizeof(float);
  const size_t bytes = (floats * sizeof(float) + unit - 1) / unit * unit;
  memory_ = static_cast<float*>(std::aligned_alloc(unit, bytes));
  if (memory_ == nullptr) throw std::bad_alloc();
  if (is_huge) madvise(memory_, bytes, MADV_HUGEPAGE);
  std::memset(memory_, 0, bytes);
}

Arena::~Arena() { std::free(memory_); }

float* Arena::take(size_t floats) {
  float* taken = memory_ + taken_;
  taken_ += padded(floats);
  return taken;
}

Head::Head(const HeadConfig& config, const Kernels& kernels)
    : config_(config), kernels_(kernels), slot_count_(slots_of(config)), arena_(floats_of(config)) {
  ptrdiff_t inputs = config.inputs;
  for (size_t l = 0; l <= config.units.size(); l++) {
    Layer layer;
    layer.inputs = inputs;
    layer.outputs = l < config.units.size() ? config.units[l] : config.outputs;
    const auto take = [&](Trained& variable, ptrdiff_t floats) {
      variable.values = arena_.take(floats);
      for (int s = 0; s < slot_count_; s++) variable.slots[s] = arena_.take(floats);
      float** extra = variable.slots + slots_of_rule(config.optimizer.rule);
      if (config.accumulation_steps > 1) variable.accumulated = *extra++;
      if (config.is_averaged) variable.average = *extra;
    };
    take(layer.kernel, layer.inputs * layer.outputs);
    take(layer.bias, layer.outputs);
    const size_t blocks = (layer.inputs + SQUARES_ROWS - 1) / SQUARES_ROWS;
    layer.kernel_squares.resize(blocks);
    layer.gradient_squares.resize(blocks);
    inputs = layer.outputs;
    layers_.push_back(std::move(layer));
  }
}

size_t Head::kernel_bytes() const {
  size_t largest = 0;
  for (const Layer& layer : layers_) largest = std::max(largest, sizeof(float) * layer.inputs * layer.outputs);
  return largest;
}

int Head::mask_count() const {
  if (config_.dropout == 0) return 0;
  return std::max<int>(1, static_cast<int>(config_.units.size()));
}

void Head::begin(const Batch& batch, const Step* step) {
  batch_ = batch;
  step_ = step;
  const ptrdiff_t rows = batch.rows;
  const bool is_training = step != nullptr;
  for (size_t l = 0; l < layers_.size(); l++) {
    Layer& layer = layers_[l];
    const bool is_hidden = l + 1 < layers_.size();
    layer.sums.resize(rows * layer.outputs);
    layer.mask.resize(is_training && is_hidden && config_.dropout > 0 ? rows * layer.outputs : 0);
    if (is_hidden) layer.activated.resize(rows * layer.outputs);
    if (!is_training) continue;
    layer.gradients.resize(rows * layer.outputs);
    if (l == 0) continue;
    layer.gradients_transposed.resize(rows * layer.outputs);
    layer.kernel_transposed.resize(layer.inputs * layer.outputs);
  }
  if (!is_training) return;
  ones_.assign(rows, 1.0f);
  if (drops_features()) {
    std::vector<float> mask(rows * config_.inputs);
    kernels_.dropout_mask(step->seeds[0], step->seeds[1], 0, rows * config_.inputs, config_.dropout,
                          config_.dropout_scale, mask.data());
    dropped_features_.resize(rows * config_.inputs);
    transpose(mask.data(), rows, config_.inputs, 0, rows, dropped_features_.data());
    for (ptrdiff_t i = 0; i < rows * config_.inputs; i++) dropped_features_[i] *= batch.features[i];
  }
}

const float* Head::inputs_of(size_t layer) const {
  if (layer > 0) return layers_[layer - 1].activated.data();
  return step_ != nullptr && drops_features() ? dropped_features_.data() : batch_.features;
}

// Training uses the values themselves, prediction their average.
const float* Head::values_of(const Trained& variable) const {
  return step_ == nullptr && variable.average != nullptr ? variable.average : variable.values;
}

void Head::measure_kernel(Layer& layer, const float* values, ptrdiff_t first, ptrdiff_t last) {
  for (ptrdiff_t row = first; row < last; row += SQUARES_ROWS) {
    const ptrdiff_t rows = std::min(SQUARES_ROWS, last - row);
    layer.kernel_squares[row / SQUARES_ROWS] =
        kernels_.squares(values + row * layer.outputs, rows * layer.outputs);
  }
}

void Head::forward(size_t l, int piece, int pieces) {
  Layer& layer = layers_[l];
  const bool is_hidden = l + 1 < layers_.size();
  if (step_ != nullptr && config_.l2 != 0) {
    const auto [first, last] = range_of(layer.inputs, SQUARES_ROWS, piece, pieces);
    measure_kernel(layer, layer.kernel.values, first, last);
  }
  const ptrdiff_t rows = batch_.rows;
  const auto [first, last] = range_of(layer.outputs, 32, piece, pieces);
  if (first == last) return;
  const float* bias = values_of(layer.bias);
  for (ptrdiff_t row = 0; row < rows; row++) {
    std::copy(bias + first, bias + last, layer.sums.data() + row * layer.outputs + first);
  }
  kernels_.multiply(inputs_of(l), rows, values_of(layer.kernel), layer.inputs, layer.outputs, first, last,
                    layer.sums.data());
  if (!is_hidden) return;
  if (!layer.mask.empty()) {
    for (ptrdiff_t row = 0; row < rows; row++) {
      const ptrdiff_t start = row * layer.outputs + first;
      kernels_.dropout_mask(step_->seeds[2 * l], step_->seeds[2 * l + 1], start, last - first, config_.dropout,
                            config_.dropout_scale, layer.mask.data() + start);
    }
  }
  with_activation(config_.activation, Activating{layer, rows, first, last, layer.activated.data()});
}

void Head::output(float* logits) {
  Layer& layer = layers_.back();
  std::copy(layer.sums.begin(), layer.sums.end(), logits);
  if (step_ == nullptr) return;
  const ptrdiff_t rows = batch_.rows;
  const ptrdiff_t outputs = layer.outputs;
  const float share = 1.0f / static_cast<float>(rows);
  for (ptrdiff_t row = 0; row < rows; row++) {
    const float* sums = layer.sums.data() + row * outputs;
    float* gradients = layer.gradients.data() + row * outputs;
    const float weight = step_->sample_weights[row] * share;
    if (step_->focal.gamma >= 0) {
      const float* targets = step_->targets + row * outputs;
      if (outputs == 1) gradients[0] = focal_gradient_of_sigmoid(sums[0], targets[0], step_->focal);
      else focal_gradient_of_softmax(sums, targets, outputs, step_->focal, gradients);
      for (ptrdiff_t o = 0; o < outputs; o++) gradients[o] *= weight;
      continue;
    }
    if (outputs == 1) {
      gradients[0] = sigmoid(sums[0]);
    } else {
      const float largest = *std::max_element(sums, sums + outputs);
      float total = 0;
      for (ptrdiff_t o = 0; o < outputs; o++) total += gradients[o] = std::exp(sums[o] - largest);
      for (ptrdiff_t o = 0; o < outputs; o++) gradients[o] /= total;
    }
    for (ptrdiff_t o = 0; o < outputs; o++) {
      gradients[o] = (gradients[o] - step_->targets[row * outputs + o]) * weight;
    }
  }
  if (layers_.size() > 1) transpose(layer.gradients.data(), rows, outputs, 0, rows, layer.gradients_transposed.data());
}

void Head::backward(size_t l, int piece, int pieces) {
  Layer& layer = layers_[l];
  Layer& upper = layers_[l + 1];
  const ptrdiff_t rows = batch_.rows;
  const auto [first, last] = range_of(layer.outputs, 32, piece, pieces);
  if (first == last) return;
  transpose(upper.kernel.values, upper.inputs, upper.outputs, first, last, upper.kernel_transposed.data());
  for (ptrdiff_t row = 0; row < rows; row++) {
    float* gradients = layer.gradients.data() + row * layer.outputs;
    std::fill(gradients + first, gradients + last, 0.0f);
  }
  kernels_.multiply(upper.gradients_transposed.data(), rows, upper.kernel_transposed.data(), upper.outputs,
                    upper.inputs, first, last, layer.gradients.data());
  with_activation(config_.activation, Differentiating{layer, rows, first, last});
  if (l == 0) return;
  for (ptrdiff_t column = first; column < last; column++)
    for (ptrdiff_t row = 0; row < rows; row++)
      layer.gradients_transposed[column * rows + row] = layer.gradients[row * layer.outputs + column];
}

GradientFactors Head::factors_of(size_t l) const {
  return {inputs_of(l), layers_[l].gradients.data(), batch_.rows, layers_[l].outputs};
}

// A bias is a kernel row whose input is always one.
GradientFactors Head::bias_factors_of(size_t l) const {
  return {ones_.data(), layers_[l].gradients.data(), batch_.rows, layers_[l].outputs};
}

void Head::measure_gradients(int piece, int pieces) {
  for (size_t l = 0; l < layers_.size(); l++) {
    Layer& layer = layers_[l];
    const auto [first, last] = range_of(layer.inputs, SQUARES_ROWS, piece, pieces);
    for (ptrdiff_t row = first; row < last; row += SQUARES_ROWS) {
      layer.gradient_squares[row / SQUARES_ROWS] =
          kernels_.gradient_squares(factors_of(l), layer.kernel, row, std::min(last, row + SQUARES_ROWS),
                                    2 * config_.l2, static_cast<float>(config_.accumulation_steps));
    }
  }
}

void Head::begin_update() {
  update_ = config_.optimizer;
  update_.rate = step_->rate;
  update_.momentum = step_->momentum;
  update_.is_applied = step_->is_applied;
  update_.accumulation_steps = static_cast<float>(config_.accumulation_steps);
  update_.average_momentum = step_->average_momentum;
  // Keras 3 and TensorFlow fold both corrections into the rate.
  update_.corrected_rate = step_->rate * std::sqrt(1 - step_->beta2_power) / (1 - step_->beta1_power);
  changes_.assign(2 * layers_.size(), GradientChange{});
  const float limit = config_.clipping_limit;
  double all_squares = 0;
  for (size_t l = 0; l < layers_.size(); l++) {
    GradientChange& kernel = changes_[2 * l];
    GradientChange& bias = changes_[2 * l + 1];
    kernel.l2_factor = 2 * config_.l2;
    if (config_.clipping == Clipping::value) kernel.value_limit = bias.value_limit = limit;
    if (!clips_by_norm()) continue;
    const double kernel_squares = sum_of(layers_[l].gradient_squares);
    const double bias_squares = kernels_.gradient_squares(bias_factors_of(l), layers_[l].bias, 0, 1, 0, update_.accumulation_steps);
    all_squares += kernel_squares + bias_squares;
    if (config_.clipping != Clipping::norm) continue;
    // Keras: gradient * limit / max(norm, limit). Written so that a NaN norm makes the gradient NaN.
    const auto divisor = [&](double squares) {
      const float norm = static_cast<float>(std::sqrt(squares));
      return norm < limit ? limit : norm;
    };
    kernel.scale = bias.scale = limit;
    kernel.divisor = divisor(kernel_squares);
    bias.divisor = divisor(bias_squares);
  }
  if (config_.clipping != Clipping::global_norm) return;
  // Keras: limit * min(1 / norm, 1 / limit), and NaN if the norm is not finite.
  const float norm = static_cast<float>(std::sqrt(all_squares));
  const float scale = limit * std::min(1 / norm, 1 / limit) + (norm - norm);
  for (GradientChange& change : changes_) change.scale = scale;
}

void Head::update(int piece, int pieces) {
  for (size_t l = 0; l < layers_.size(); l++) {
    Layer& layer = layers_[l];
    const auto [first, last] = range_of(layer.inputs, SQUARES_ROWS, piece, pieces);
    kernels_.update(factors_of(l), layer.kernel, first, last, changes_[2 * l], update_);
    if (piece == 0) kernels_.update(bias_factors_of(l), layer.bias, 0, 1, changes_[2 * l + 1], update_);
  }
}

double Head::penalty() const {
  double squares = 0;
  for (const Layer& layer : layers_) squares += sum_of(layer.kernel_squares);
  return squares * config_.l2;
}

double Head::penalty_now() {
  if (config_.l2 == 0) return 0;
  for (Layer& layer : layers_) {
    const Trained& kernel = layer.kernel;
    measure_kernel(layer, kernel.average == nullptr ? kernel.values : kernel.average, 0, layer.inputs);
  }
  return penalty();
}

}  // namespace graft
