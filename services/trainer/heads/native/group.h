// Steps of several heads on one batch.
#pragma once

#include <vector>

#include "head.h"

namespace graft {

// One optimizer step of each head. A head's numbers depend on neither the others nor the number of threads.
//
// features: [rows][inputs], of all heads.
void train_heads(const std::vector<Head*>& heads, const float* features, ptrdiff_t rows, const std::vector<Step>& steps);

// Logits [rows][outputs] of each head, without dropout.
void predict_heads(const std::vector<Head*>& heads, const float* features, ptrdiff_t rows,
                   const std::vector<float*>& logits);

}  // namespace graft
