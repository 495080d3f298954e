#include <cstring>

#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace graft {

extern const Kernels kernels_basic;
#if defined(__x86_64__)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;

namespace {

constexpr unsigned bit(int number) { return 1u << number; }

// Features of x86-64-v3 and x86-64-v4 that a compiler would use. They are queried by cpuid: __builtin_cpu_supports
// needs a part of the compiler's runtime that can't be linked into a module everywhere.
struct Machine {
  bool has_v3 = false;
  bool has_v4 = false;

  Machine() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    constexpr unsigned FMA_AND_SAVED_STATE = bit(12) | bit(27);
    if ((c & FMA_AND_SAVED_STATE) != FMA_AND_SAVED_STATE) return;
    // Registers that the operating system saves.
    unsigned saved, high;
    asm volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    constexpr unsigned BMI_AVX2_BMI2 = bit(3) | bit(5) | bit(8);
    constexpr unsigned AVX512_F_DQ_CD_BW_VL = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
    has_v3 = (saved & 0x06) == 0x06 && (b & BMI_AVX2_BMI2) == BMI_AVX2_BMI2;
    has_v4 = has_v3 && (saved & 0xe6) == 0xe6 && (b & AVX512_F_DQ_CD_BW_VL) == AVX512_F_DQ_CD_BW_VL;
  }
};

}  // namespace
#endif

const Kernels* find_kernels(const char* name) {
  const auto is_wanted = [&](const char* candidate) {
    return name == nullptr || *name == '\0' || std::strcmp(name, candidate) == 0;
  };
#if defined(__x86_64__)
  const Machine machine;
  if (machine.has_v4 && is_wanted("avx512")) return &kernels_avx512;
  if (machine.has_v3 && is_wanted("avx2")) return &kernels_avx2;
#endif
  return is_wanted("basic") ? &kernels_basic : nullptr;
}

}  // namespace graft
