// Steps of several heads on one batch.
#pragma once

#include <vector>

#include "head.h"

namespace graft {

// Executes one optimizer step of each head. A head's result depends neither on the others nor on the number of threads.
//
// features: [rows][inputs], read by all heads.
void train_heads(const std::vector<Head*>& heads, const float* features, ptrdiff_t rows, const std::vector<Step>& steps);

// Returns the logits [rows][outputs] of each head, without dropout.
void predict_heads(const std::vector<Head*>& heads, const float* features, ptrdiff_t rows,
                   const std::vector<float*>& logits);

}  // namespace graft
