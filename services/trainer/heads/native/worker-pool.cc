#include "worker-pool.h"

#include <chrono>
#include <thread>

namespace graft {
namespace {

// A step submits work every few dozen microseconds; waking a sleeping thread takes about as long.
constexpr int SPINS_BEFORE_SLEEP = 4000;
// Spinning for a thread that lost its core would be in vain.
constexpr int SPINS_BEFORE_YIELD = 2000;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

WorkerPool& WorkerPool::shared() {
  static WorkerPool* pool = new WorkerPool();
  return *pool;
}

void WorkerPool::set_thread_count(int count) {
  thread_count_ = count < 1 ? 1 : count;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    serving_.store(thread_count_);
  }
  for (; started_ < thread_count_; started_++) std::thread(&WorkerPool::serve, this, started_).detach();
}

void WorkerPool::run_pieces(int count, Function function, const void* context) {
  if (count <= 0) return;
  if (count == 1 || thread_count_ == 1) {
    for (int piece = 0; piece < count; piece++) function(context, piece);
    return;
  }
  function_ = function;
  context_ = context;
  undone_.store(count, std::memory_order_relaxed);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    left_.store(count, std::memory_order_release);
  }
  wake_.notify_all();
  while (take_piece()) {
  }
  for (int spins = 0; undone_.load(std::memory_order_acquire) > 0; spins++) {
    if (spins < SPINS_BEFORE_YIELD) relax();
    else std::this_thread::yield();
  }
}

bool WorkerPool::take_piece() {
  int left = left_.load(std::memory_order_acquire);
  while (left > 0) {
    if (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel)) continue;
    function_(context_, left - 1);
    undone_.fetch_sub(1, std::memory_order_acq_rel);
    return true;
  }
  return false;
}

void WorkerPool::serve(int number) {
  const auto is_wanted = [&] {
    return left_.load(std::memory_order_acquire) > 0 && number < serving_.load(std::memory_order_acquire);
  };
  for (;;) {
    for (int spins = 0; !is_wanted() && spins < SPINS_BEFORE_SLEEP; spins++) relax();
    if (!is_wanted()) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, is_wanted);
    }
    while (number < serving_.load(std::memory_order_acquire) && take_piece()) {
    }
  }
}

}  // namespace graft
