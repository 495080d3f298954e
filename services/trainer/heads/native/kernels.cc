// Compiled once per instruction set, with GRAFT_INSTRUCTION_SET set to its name. No inline function of the standard
// library may be called here: the linker keeps one copy of each, which could be the one for the larger instruction set.
#include "kernels.h"

#include "lanes.h"
#include "philox.h"
#include "update-rules.h"

namespace graft {
namespace GRAFT_INSTRUCTION_SET {

// Number of adjacent registers in a tile.
constexpr int TILE_VECTORS = 2;
constexpr int TILE_COLUMNS = TILE_VECTORS * LANES;
// Rows of weights processed before the next ones: 64 rows of 256 columns are 64 KiB, which the second-level cache
// holds.
constexpr ptrdiff_t DEPTH_BLOCK = 64;
// Rows of a gradient that are processed panel by panel; a panel's part of the next rows is prefetched.
constexpr ptrdiff_t ROW_BLOCK = 32;

// A tile's part of a row: `VECTORS` whole registers, or the first `width` columns of one.
template <int VECTORS, bool WHOLE>
struct Row {
  static Lanes get(const float* from, int vector, int width) {
    return WHOLE ? load(from + vector * LANES) : load_part(from, width);
  }
  static void put(float* to, int vector, int width, Lanes value) {
    if (WHOLE) store(to + vector * LANES, value);
    else store_part(to, value, width);
  }
};

// sum[r][v] over k of left[k][r] * right[k][v].
template <int ROWS, int VECTORS, bool WHOLE, bool FETCH_AHEAD>
inline void multiply_out(const float* left, ptrdiff_t left_stride, ptrdiff_t row_step, const float* right,
                         ptrdiff_t right_stride, ptrdiff_t depth, int width, Lanes (&sum)[ROWS][VECTORS]) {
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) sum[r][v] = all(0);
  for (ptrdiff_t k = 0; k < depth; k++) {
    Lanes row[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
      row[v] = Row<VECTORS, WHOLE>::get(right, v, width);
      if (FETCH_AHEAD) __builtin_prefetch(right + DEPTH_BLOCK * right_stride + v * LANES);
    }
    for (int r = 0; r < ROWS; r++) {
      const Lanes factor = all(left[r * row_step]);
      for (int v = 0; v < VECTORS; v++) sum[r][v] = fma(factor, row[v], sum[r][v]);
    }
    left += left_stride;
    right += right_stride;
  }
}

struct Product {
  const float* inputs;
  ptrdiff_t rows;
  const float* weights;
  ptrdiff_t depth;
  ptrdiff_t columns;
  float* out;
};

template <int ROWS, int VECTORS, bool WHOLE, bool FETCH_AHEAD>
inline void product_tile(const Product& p, ptrdiff_t row, ptrdiff_t column, ptrdiff_t from, ptrdiff_t depth, int width) {
  Lanes sum[ROWS][VECTORS];
  multiply_out<ROWS, VECTORS, WHOLE, FETCH_AHEAD>(p.inputs + from * p.rows + row, p.rows, 1,
                                                  p.weights + from * p.columns + column, p.columns, depth, width, sum);
  for (int r = 0; r < ROWS; r++) {
    float* out = p.out + (row + r) * p.columns + column;
    for (int v = 0; v < VECTORS; v++) {
      const Lanes before = Row<VECTORS, WHOLE>::get(out, v, width);
      Row<VECTORS, WHOLE>::put(out, v, width, before + sum[r][v]);
    }
  }
}

template <int ROWS, int VECTORS, bool WHOLE>
inline void last_rows(const Product& p, ptrdiff_t row, ptrdiff_t column, ptrdiff_t from, ptrdiff_t depth, int width) {
  if constexpr (ROWS > 0) {
    if (p.rows - row == ROWS) product_tile<ROWS, VECTORS, WHOLE, false>(p, row, column, from, depth, width);
    else last_rows<ROWS - 1, VECTORS, WHOLE>(p, row, column, from, depth, width);
  }
}

template <int VECTORS, bool WHOLE>
inline void product_panel(const Product& p, ptrdiff_t column, ptrdiff_t from, ptrdiff_t depth, int width) {
  ptrdiff_t row = 0;
  if (p.rows >= TILE_ROWS) {
    // The first rows' tile prefetches the next block of weights while this one is processed.
    product_tile<TILE_ROWS, VECTORS, WHOLE, true>(p, row, column, from, depth, width);
    row += TILE_ROWS;
  }
  for (; row + TILE_ROWS <= p.rows; row += TILE_ROWS) {
    product_tile<TILE_ROWS, VECTORS, WHOLE, false>(p, row, column, from, depth, width);
  }
  last_rows<TILE_ROWS - 1, VECTORS, WHOLE>(p, row, column, from, depth, width);
}

// Calls `visit` with (column, width) and the tile's shape for the columns [first, last).
template <class Visit>
inline void each_panel(ptrdiff_t first, ptrdiff_t last, const Visit& visit) {
  ptrdiff_t column = first;
  for (; column + TILE_COLUMNS <= last; column += TILE_COLUMNS) visit.template panel<TILE_VECTORS, true>(column, LANES);
  if (column + LANES <= last) {
    visit.template panel<1, true>(column, LANES);
    column += LANES;
  }
  if (column < last) visit.template panel<1, false>(column, static_cast<int>(last - column));
}

struct ProductPanels {
  const Product& product;
  ptrdiff_t from;
  ptrdiff_t depth;
  template <int VECTORS, bool WHOLE>
  void panel(ptrdiff_t column, int width) const {
    product_panel<VECTORS, WHOLE>(product, column, from, depth, width);
  }
};

void multiply(const float* inputs, ptrdiff_t rows, const float* weights, ptrdiff_t depth, ptrdiff_t columns,
              ptrdiff_t first, ptrdiff_t last, float* out) {
  const Product product{inputs, rows, weights, depth, columns, out};
  for (ptrdiff_t from = 0; from < depth; from += DEPTH_BLOCK) {
    const ptrdiff_t block = depth - from < DEPTH_BLOCK ? depth - from : DEPTH_BLOCK;
    each_panel(first, last, ProductPanels{product, from, block});
  }
}

inline Lanes with_l2(Lanes gradient, Lanes value, const GradientChange& change) {
  return change.l2_factor == 0 ? gradient : gradient + value * all(change.l2_factor);
}

inline Lanes clipped(Lanes gradient, const GradientChange& change) {
  if (change.value_limit != 0) {
    const Lanes limit = all(change.value_limit);
    gradient = gradient > limit ? limit : gradient;
    gradient = gradient < -limit ? -limit : gradient;
  }
  if (change.scale != 1) gradient = gradient * all(change.scale);
  if (change.divisor != 1) gradient = gradient / all(change.divisor);
  return gradient;
}

// Keras: momentum * average + (1 - momentum) * value.
template <class Part>
inline void put_average(const Trained& variable, ptrdiff_t offset, int vector, int width, Lanes value, float momentum) {
  const Lanes before = Part::get(variable.average + offset, vector, width);
  Part::put(variable.average + offset, vector, width, before * all(momentum) + value * all(1 - momentum));
}

inline void fetch_extras(const Trained& variable, ptrdiff_t offset) {
  if (variable.accumulated != nullptr) __builtin_prefetch(variable.accumulated + offset, 1);
  if (variable.average != nullptr) __builtin_prefetch(variable.average + offset, 1);
}

// Consumes the tiles of a gradient and adds them to the accumulated ones.
struct Accumulating {
  const Trained& variable;
  const GradientChange& change;
  float average_momentum;

  void fetch(ptrdiff_t offset) const {
    __builtin_prefetch(variable.values + offset);
    fetch_extras(variable, offset);
  }

  template <int VECTORS, bool WHOLE>
  void take(ptrdiff_t offset, int vector, int width, Lanes gradient) {
    using Part = Row<VECTORS, WHOLE>;
    const Lanes value = Part::get(variable.values + offset, vector, width);
    const Lanes before = Part::get(variable.accumulated + offset, vector, width);
    Part::put(variable.accumulated + offset, vector, width, with_l2(gradient, value, change) + before);
    if (variable.average != nullptr) put_average<Part>(variable, offset, vector, width, value, average_momentum);
  }
};

// Consumes the tiles of a gradient and applies them. `EXTRAS`: the variable has accumulated gradients or an average; testing
// for them in every tile would cost a fifth of the time.
template <class RuleLanes, bool EXTRAS>
struct Applying {
  const Trained& variable;
  const GradientChange& change;
  RuleLanes rule;
  float accumulation_steps;
  float average_momentum;

  void fetch(ptrdiff_t offset) const {
    __builtin_prefetch(variable.values + offset, 1);
    for (int s = 0; s < RuleLanes::SLOTS; s++) __builtin_prefetch(variable.slots[s] + offset, 1);
    if (EXTRAS) fetch_extras(variable, offset);
  }

  template <int VECTORS, bool WHOLE>
  void take(ptrdiff_t offset, int vector, int width, Lanes gradient) {
    using Part = Row<VECTORS, WHOLE>;
    const Lanes value = Part::get(variable.values + offset, vector, width);
    Lanes slots[RuleLanes::SLOTS + 1];
    for (int s = 0; s < RuleLanes::SLOTS; s++) slots[s] = Part::get(variable.slots[s] + offset, vector, width);
    Lanes whole = with_l2(gradient, value, change);
    if (EXTRAS && variable.accumulated != nullptr) {
      whole = (whole + Part::get(variable.accumulated + offset, vector, width)) / all(accumulation_steps);
      Part::put(variable.accumulated + offset, vector, width, all(0));
    }
    const Lanes updated = rule.apply(value, clipped(whole, change), slots);
    Part::put(variable.values + offset, vector, width, updated);
    if (EXTRAS && variable.average != nullptr) {
      put_average<Part>(variable, offset, vector, width, updated, average_momentum);
    }
    for (int s = 0; s < RuleLanes::SLOTS; s++) Part::put(variable.slots[s] + offset, vector, width, slots[s]);
  }
};

// Consumes the tiles of a gradient and sums their squares.
template <bool ACCUMULATED>
struct Squaring {
  const Trained& variable;
  float l2_factor;
  float accumulation_steps;
  double sum = 0;

  void fetch(ptrdiff_t) const {}

  template <int VECTORS, bool WHOLE>
  void take(ptrdiff_t offset, int vector, int width, Lanes gradient) {
    using Part = Row<VECTORS, WHOLE>;
    const Lanes value = Part::get(variable.values + offset, vector, width);
    Lanes whole = gradient + value * all(l2_factor);
    if (ACCUMULATED) {
      whole = (whole + Part::get(variable.accumulated + offset, vector, width)) / all(accumulation_steps);
    }
    float parts[LANES];
    store(parts, whole * whole);
    const int count = WHOLE ? LANES : width;
    for (int i = 0; i < count; i++) sum += parts[i];
  }
};

template <class Taker>
struct GradientPanels {
  const GradientFactors& factors;
  ptrdiff_t first;
  ptrdiff_t last;
  Taker& taker;

  template <int ROWS, int VECTORS, bool WHOLE>
  void tile(ptrdiff_t row, ptrdiff_t column, int width) const {
    // Prefetch for the same panel of the next rows.
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < VECTORS; v++) taker.fetch((row + ROW_BLOCK + r) * factors.outputs + column + v * LANES);
    Lanes sum[ROWS][VECTORS];
    multiply_out<ROWS, VECTORS, WHOLE, false>(factors.inputs + row * factors.batch, 1, factors.batch,
                                              factors.output_gradients + column, factors.outputs, factors.batch, width,
                                              sum);
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < VECTORS; v++)
        taker.template take<VECTORS, WHOLE>((row + r) * factors.outputs + column, v, width, sum[r][v]);
  }

  template <int VECTORS, bool WHOLE>
  void panel(ptrdiff_t column, int width) const {
    ptrdiff_t row = first;
    for (; row + TILE_ROWS <= last; row += TILE_ROWS) tile<TILE_ROWS, VECTORS, WHOLE>(row, column, width);
    for (; row < last; row++) tile<1, VECTORS, WHOLE>(row, column, width);
  }
};

template <class Taker>
inline void each_gradient_tile(const GradientFactors& factors, ptrdiff_t first, ptrdiff_t last, Taker& taker) {
  for (ptrdiff_t row = first; row < last; row += ROW_BLOCK) {
    const ptrdiff_t end = last - row < ROW_BLOCK ? last : row + ROW_BLOCK;
    each_panel(0, factors.outputs, GradientPanels<Taker>{factors, row, end, taker});
  }
}

template <class RuleLanes>
void apply_rule(const GradientFactors& factors, const Trained& variable, ptrdiff_t first, ptrdiff_t last,
                const GradientChange& change, const Update& update) {
  const auto apply = [&](auto taker) { each_gradient_tile(factors, first, last, taker); };
  const float steps = update.accumulation_steps;
  const float kept = update.average_momentum;
  if (variable.accumulated == nullptr && variable.average == nullptr) {
    apply(Applying<RuleLanes, false>{variable, change, RuleLanes(update), steps, kept});
  } else {
    apply(Applying<RuleLanes, true>{variable, change, RuleLanes(update), steps, kept});
  }
}

void update(const GradientFactors& factors, const Trained& variable, ptrdiff_t first, ptrdiff_t last,
            const GradientChange& change, const Update& update) {
  if (!update.is_applied) {
    Accumulating accumulating{variable, change, update.average_momentum};
    return each_gradient_tile(factors, first, last, accumulating);
  }
  switch (update.rule) {
    case Rule::rmsprop:
      return apply_rule<Rmsprop<false, false>>(factors, variable, first, last, change, update);
    case Rule::rmsprop_momentum:
      return apply_rule<Rmsprop<false, true>>(factors, variable, first, last, change, update);
    case Rule::rmsprop_centered:
      return apply_rule<Rmsprop<true, false>>(factors, variable, first, last, change, update);
    case Rule::rmsprop_centered_momentum:
      return apply_rule<Rmsprop<true, true>>(factors, variable, first, last, change, update);
    case Rule::adam:
      return apply_rule<Adam>(factors, variable, first, last, change, update);
    case Rule::sgd:
      return apply_rule<Sgd>(factors, variable, first, last, change, update);
    case Rule::sgd_momentum:
      return apply_rule<SgdMomentum<false>>(factors, variable, first, last, change, update);
    case Rule::sgd_nesterov:
      return apply_rule<SgdMomentum<true>>(factors, variable, first, last, change, update);
  }
}

double gradient_squares(const GradientFactors& factors, const Trained& variable, ptrdiff_t first, ptrdiff_t last,
                        float l2_factor, float accumulation_steps) {
  const auto sum = [&](auto squaring) {
    each_gradient_tile(factors, first, last, squaring);
    return squaring.sum;
  };
  if (variable.accumulated == nullptr) return sum(Squaring<false>{variable, l2_factor, accumulation_steps});
  return sum(Squaring<true>{variable, l2_factor, accumulation_steps});
}

double squares(const float* values, ptrdiff_t count) {
  Lanes sum = all(0);
  ptrdiff_t at = 0;
  for (; at + LANES <= count; at += LANES) {
    const Lanes value = load(values + at);
    sum = fma(value, value, sum);
  }
  float parts[LANES];
  store(parts, sum);
  double total = 0;
  for (int i = 0; i < LANES; i++) total += parts[i];
  for (; at < count; at++) total += static_cast<double>(values[at]) * values[at];
  return total;
}

void dropout_mask(int32_t seed0, int32_t seed1, ptrdiff_t first, ptrdiff_t count, float rate, float scale, float* out) {
  const StatelessUniform uniform(seed0, seed1);
  float numbers[StatelessUniform::BATCH];
  ptrdiff_t done = 0;
  while (done < count) {
    const ptrdiff_t skipped = (first + done) % 4;
    uniform.fill((first + done) / 4, numbers);
    const ptrdiff_t fresh = StatelessUniform::BATCH - skipped;
    const ptrdiff_t taken = fresh < count - done ? fresh : count - done;
    for (ptrdiff_t i = 0; i < taken; i++) out[done + i] = numbers[skipped + i] >= rate ? scale : 0.0f;
    done += taken;
  }
}

}  // namespace GRAFT_INSTRUCTION_SET

#define GRAFT_JOIN2(a, b) a##b
#define GRAFT_JOIN(a, b) GRAFT_JOIN2(a, b)
#define GRAFT_TEXT2(a) #a
#define GRAFT_TEXT(a) GRAFT_TEXT2(a)

extern const Kernels GRAFT_JOIN(kernels_, GRAFT_INSTRUCTION_SET);
const Kernels GRAFT_JOIN(kernels_, GRAFT_INSTRUCTION_SET) = {
    GRAFT_TEXT(GRAFT_INSTRUCTION_SET),
    GRAFT_INSTRUCTION_SET::multiply,
    GRAFT_INSTRUCTION_SET::update,
    GRAFT_INSTRUCTION_SET::gradient_squares,
    GRAFT_INSTRUCTION_SET::squares,
    GRAFT_INSTRUCTION_SET::dropout_mask,
};

}  // namespace graft
