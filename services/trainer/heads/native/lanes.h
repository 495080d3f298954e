// A vector register of floats for the instruction set that this file is compiled for. Every operation is elementwise
// and contraction is disabled (see deploy/bootstrap/engine/heads.js), so an element's value never depends on its
// register, tile or thread.
#pragma once

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace graft {
namespace GRAFT_INSTRUCTION_SET {

#if defined(__AVX512F__)

using Lanes = __m512;
constexpr int LANES = 16;
// 16 of the 32 registers hold sums; 8 sums hide the latency of a multiply-add.
constexpr int TILE_ROWS = 8;

inline Lanes load(const float* from) { return _mm512_loadu_ps(from); }
inline void store(float* to, Lanes value) { _mm512_storeu_ps(to, value); }
inline Lanes load_part(const float* from, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
inline void store_part(float* to, Lanes value, int count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), value);
}
inline Lanes all(float value) { return _mm512_set1_ps(value); }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
inline Lanes square_root(Lanes a) { return _mm512_sqrt_ps(a); }

#else

#if defined(__AVX2__) && defined(__FMA__)

using Lanes = __m256;
constexpr int LANES = 8;
// 12 of the 16 registers hold sums.
constexpr int TILE_ROWS = 6;

inline Lanes all(float value) { return _mm256_set1_ps(value); }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
inline Lanes square_root(Lanes a) { return _mm256_sqrt_ps(a); }

#else

// The baseline of the machine: SSE2, NEON.
using Lanes = float __attribute__((vector_size(16)));
constexpr int LANES = 4;
constexpr int TILE_ROWS = 4;

inline Lanes all(float value) { return Lanes{value, value, value, value}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return a * b + c; }
inline Lanes square_root(Lanes a) {
  return Lanes{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
}

#endif

inline Lanes load(const float* from) {
  Lanes value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
inline void store(float* to, Lanes value) { __builtin_memcpy(to, &value, sizeof value); }
inline Lanes load_part(const float* from, int count) {
  float kept[LANES] = {};
  for (int i = 0; i < count; i++) kept[i] = from[i];
  return load(kept);
}
inline void store_part(float* to, Lanes value, int count) {
  float kept[LANES];
  store(kept, value);
  for (int i = 0; i < count; i++) to[i] = kept[i];
}

#endif

}  // namespace GRAFT_INSTRUCTION_SET
}  // namespace graft
