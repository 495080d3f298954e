// TensorFlow's StatelessRandomUniform for float32 on a CPU: Philox4x32-10 (Salmon et al., SC 2011) keyed as in
// tensorflow/core/kernels/stateless_random_ops.cc, numbers as in tensorflow/core/lib/random/random_distributions.h.
// dropout.ts gets the same numbers from the op; a test compares them.
#pragma once

#include <cstdint>

namespace graft {
namespace GRAFT_INSTRUCTION_SET {

// Independent counters advance together, so that the compiler vectorises them.
template <int COUNT>
inline void philox(uint32_t (&x)[4][COUNT], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < COUNT; i++) {
      const uint64_t product0 = static_cast<uint64_t>(0xd2511f53u) * x[0][i];
      const uint64_t product1 = static_cast<uint64_t>(0xcd9e8d57u) * x[2][i];
      const uint32_t x1 = x[1][i];
      const uint32_t x3 = x[3][i];
      x[0][i] = static_cast<uint32_t>(product1 >> 32) ^ x1 ^ key0;
      x[1][i] = static_cast<uint32_t>(product1);
      x[2][i] = static_cast<uint32_t>(product0 >> 32) ^ x3 ^ key1;
      x[3][i] = static_cast<uint32_t>(product0);
    }
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
}

class StatelessUniform {
 public:
  // Numbers generated per call.
  static constexpr int BATCH = 64;

  StatelessUniform(int32_t seed0, int32_t seed1) {
    // Seeds are sign-extended.
    uint32_t mix[4][1] = {{static_cast<uint32_t>(seed0)},
                          {seed0 < 0 ? 0xffffffffu : 0u},
                          {static_cast<uint32_t>(seed1)},
                          {seed1 < 0 ? 0xffffffffu : 0u}};
    philox(mix, 0x3ec8f720u, 0x02461e29u);
    key0_ = mix[0][0];
    key1_ = mix[1][0];
    counter2_ = mix[2][0];
    counter3_ = mix[3][0];
  }

  // Writes numbers in [0, 1), starting at number 4 * group.
  void fill(uint64_t group, float* out) const {
    constexpr int GROUPS = BATCH / 4;
    uint32_t x[4][GROUPS];
    for (int i = 0; i < GROUPS; i++) {
      // The 128-bit counter is counter2 and counter3 times 2^64 plus the group, which never approaches 2^64.
      x[0][i] = static_cast<uint32_t>(group + i);
      x[1][i] = static_cast<uint32_t>((group + i) >> 32);
      x[2][i] = counter2_;
      x[3][i] = counter3_;
    }
    philox(x, key0_, key1_);
    for (int i = 0; i < GROUPS; i++) {
      for (int word = 0; word < 4; word++) {
        const uint32_t bits = (127u << 23) | (x[word][i] & 0x7fffffu);
        float number;
        __builtin_memcpy(&number, &bits, sizeof number);
        out[4 * i + word] = number - 1.0f;
      }
    }
  }

 private:
  uint32_t key0_, key1_, counter2_, counter3_;
};

}  // namespace GRAFT_INSTRUCTION_SET
}  // namespace graft
