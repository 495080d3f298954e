#include "group.h"

#include <algorithm>

#include "worker-pool.h"

namespace graft {
namespace {

// Above this size a head's kernel would not stay in a core's share of the third-level cache between forward and update,
// so all threads work on one head at a time.
constexpr size_t LARGE_KERNEL_BYTES = size_t{4} << 20;

// Transposes [rows][inputs] to [inputs][rows]. The buffer is kept between calls, which are sequential.
const float* turned(const float* features, ptrdiff_t rows, ptrdiff_t inputs) {
  static std::vector<float>* kept = new std::vector<float>();
  kept->resize(rows * inputs);
  float* out = kept->data();
  constexpr ptrdiff_t SIDE = 16;
  const int blocks = static_cast<int>((inputs + 1023) / 1024);
  WorkerPool::shared().run(blocks, [&](int block) {
    const ptrdiff_t end = std::min<ptrdiff_t>(inputs, (block + 1) * ptrdiff_t{1024});
    for (ptrdiff_t r0 = 0; r0 < rows; r0 += SIDE)
      for (ptrdiff_t i = block * ptrdiff_t{1024}; i < end; i++)
        for (ptrdiff_t r = r0; r < std::min(rows, r0 + SIDE); r++) out[i * rows + r] = features[r * inputs + i];
  });
  return out;
}

// Number of pieces of a step's parts. There are more pieces than threads, so that a thread that lost its core does not
// delay the others. Narrow columns of weights are read more slowly, though (32 of 256: by a sixth), which affects the
// forward pass.
struct Cut {
  int columns;
  int rows;
};

constexpr Cut WHOLE{1, 1};

void run_forward(WorkerPool& pool, Head& head, const Cut& cut) {
  for (size_t layer = 0; layer < head.layers().size(); layer++) {
    pool.run(cut.columns, [&](int piece) { head.forward(layer, piece, cut.columns); });
  }
}

void train_one(WorkerPool& pool, Head& head, const Batch& batch, const Step& step, const Cut& cut) {
  head.begin(batch, &step);
  run_forward(pool, head, cut);
  head.output(step.logits);
  for (size_t layer = head.layers().size() - 1; layer-- > 0;) {
    pool.run(cut.columns, [&](int piece) { head.backward(layer, piece, cut.columns); });
  }
  if (head.clips_by_norm()) pool.run(cut.rows, [&](int piece) { head.measure_gradients(piece, cut.rows); });
  head.begin_update();
  pool.run(cut.rows, [&](int piece) { head.update(piece, cut.rows); });
}

// Calls work(index, cut) for every head: small heads in parallel, one per thread, the others one after the other.
template <class Work>
void each_head(WorkerPool& pool, const std::vector<Head*>& heads, const Work& work) {
  const int threads = pool.thread_count();
  std::vector<int> small;
  std::vector<int> rest;
  for (size_t index = 0; index < heads.size(); index++) {
    (heads[index]->kernel_bytes() < LARGE_KERNEL_BYTES ? small : rest).push_back(static_cast<int>(index));
  }
  for (size_t even = small.size() / threads * threads; small.size() > even; small.pop_back()) rest.push_back(small.back());
  pool.run(static_cast<int>(small.size()), [&](int piece) { work(small[piece], WHOLE); });
  for (const int index : rest) work(index, threads == 1 ? WHOLE : Cut{2 * threads, 4 * threads});
}

}  // namespace

void train_heads(const std::vector<Head*>& heads, const float* features, ptrdiff_t rows,
                 const std::vector<Step>& steps) {
  if (heads.empty()) return;
  WorkerPool& pool = WorkerPool::shared();
  const Batch batch{turned(features, rows, heads[0]->config().inputs), rows};
  each_head(pool, heads, [&](int index, const Cut& cut) { train_one(pool, *heads[index], batch, steps[index], cut); });
}

void predict_heads(const std::vector<Head*>& heads, const float* features, ptrdiff_t rows,
                   const std::vector<float*>& logits) {
  if (heads.empty()) return;
  WorkerPool& pool = WorkerPool::shared();
  const Batch batch{turned(features, rows, heads[0]->config().inputs), rows};
  each_head(pool, heads, [&](int index, const Cut& cut) {
    heads[index]->begin(batch, nullptr);
    run_forward(pool, *heads[index], cut);
    heads[index]->output(logits[index]);
  });
}

}  // namespace graft
