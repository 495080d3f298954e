// Keras' optimizers, one vector register at a time. The formulas are those of TensorFlow's ResourceApply... ops, which
// optimizer.ts uses (tensorflow/core/kernels/training_ops.cc).
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace graft {
namespace GRAFT_INSTRUCTION_SET {

template <bool CENTERED, bool WITH_MOMENTUM>
struct Rmsprop {
  static constexpr int SLOTS = 1 + CENTERED + WITH_MOMENTUM;
  Lanes rate, momentum, kept, epsilon;

  explicit Rmsprop(const Update& update)
      : rate(all(update.rate)),
        momentum(all(update.momentum)),
        kept(all(1 - update.rho)),
        epsilon(all(update.epsilon)) {}

  // Slots: [average gradient,] velocity [, momentum].
  Lanes apply(Lanes value, Lanes gradient, Lanes* slots) const {
    Lanes& velocity = slots[CENTERED];
    velocity = fma(fma(gradient, gradient, -velocity), kept, velocity);
    Lanes spread = velocity + epsilon;
    if constexpr (CENTERED) {
      slots[0] = fma(gradient - slots[0], kept, slots[0]);
      spread = fma(-slots[0], slots[0], spread);
    }
    Lanes step = rate * gradient / square_root(spread);
    if constexpr (WITH_MOMENTUM) step = slots[SLOTS - 1] = fma(slots[SLOTS - 1], momentum, step);
    return value - step;
  }
};

struct Adam {
  static constexpr int SLOTS = 2;
  Lanes corrected_rate, kept_mean, kept_square, epsilon, weight_decay, rate;

  explicit Adam(const Update& update)
      : corrected_rate(all(update.corrected_rate)),
        kept_mean(all(1 - update.momentum)),
        kept_square(all(1 - update.rho)),
        epsilon(all(update.epsilon)),
        weight_decay(all(update.weight_decay)),
        rate(all(update.rate)) {}

  Lanes apply(Lanes value, Lanes gradient, Lanes* slots) const {
    // Keras: variable -= variable * weight_decay * learning_rate, before the update.
    value = fma(-(value * weight_decay), rate, value);
    slots[0] = fma(gradient - slots[0], kept_mean, slots[0]);
    slots[1] = fma(fma(gradient, gradient, -slots[1]), kept_square, slots[1]);
    return value - corrected_rate * slots[0] / (square_root(slots[1]) + epsilon);
  }
};

struct Sgd {
  static constexpr int SLOTS = 0;
  Lanes rate;

  explicit Sgd(const Update& update) : rate(all(update.rate)) {}

  Lanes apply(Lanes value, Lanes gradient, Lanes*) const { return fma(-rate, gradient, value); }
};

template <bool NESTEROV>
struct SgdMomentum {
  static constexpr int SLOTS = 1;
  Lanes rate, momentum;

  explicit SgdMomentum(const Update& update) : rate(all(update.rate)), momentum(all(update.momentum)) {}

  Lanes apply(Lanes value, Lanes gradient, Lanes* slots) const {
    const Lanes descent = rate * gradient;
    slots[0] = fma(slots[0], momentum, -descent);
    if constexpr (NESTEROV) return value + fma(slots[0], momentum, -descent);
    return value + slots[0];
  }
};

}  // namespace GRAFT_INSTRUCTION_SET
}  // namespace graft
