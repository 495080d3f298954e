// Threads that execute numbered pieces of work together with the caller.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace graft {

class WorkerPool {
 public:
  // Returns the pool of the process. It is never destroyed; idle threads sleep.
  static WorkerPool& shared();

  // Sets the number of computing threads, including the caller's. Takes effect immediately; threads are never ended.
  void set_thread_count(int count);
  int thread_count() const { return thread_count_; }

  // Calls work(piece) for every piece in [0, count), in any order on any thread, and returns when all are done.
  template <class Work>
  void run(int count, const Work& work) {
    run_pieces(count, [](const void* context, int piece) { (*static_cast<const Work*>(context))(piece); }, &work);
  }

 private:
  using Function = void (*)(const void* context, int piece);

  void run_pieces(int count, Function function, const void* context);
  // Executes one piece; returns false when none is left.
  bool take_piece();
  void serve(int number);

  int thread_count_ = 1;
  int started_ = 1;
  // Written while no piece is left; read only by a thread that took a piece.
  Function function_ = nullptr;
  const void* context_ = nullptr;
  std::atomic<int> left_{0};
  std::atomic<int> undone_{0};
  std::atomic<int> serving_{1};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace graft
