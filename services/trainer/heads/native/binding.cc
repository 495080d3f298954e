// Node-API binding of the heads; native-module.ts documents the arguments of each function.
#include <node_api.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "group.h"
#include "worker-pool.h"

namespace graft {
namespace {

// Thrown when a JavaScript exception is already pending.
struct Thrown {};

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool is_pending = false;
  napi_is_exception_pending(env, &is_pending);
  if (!is_pending) napi_throw_type_error(env, nullptr, "graft heads: an argument has the wrong type");
  throw Thrown{};
}

[[noreturn]] void refuse(napi_env env, const std::string& reason) {
  napi_throw_range_error(env, nullptr, ("graft heads: " + reason).c_str());
  throw Thrown{};
}

template <size_t COUNT>
struct Arguments {
  napi_value values[COUNT];
  Arguments(napi_env env, napi_callback_info info) {
    size_t count = COUNT;
    check(env, napi_get_cb_info(env, info, &count, values, nullptr, nullptr));
    if (count != COUNT) refuse(env, "wrong number of arguments");
  }
};

double number_of(napi_env env, napi_value value) {
  double number = 0;
  check(env, napi_get_value_double(env, value, &number));
  return number;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(env, napi_get_named_property(env, object, name, &value));
  return value;
}

double number_property(napi_env env, napi_value object, const char* name) {
  return number_of(env, property(env, object, name));
}

napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  check(env, napi_get_element(env, array, index, &value));
  return value;
}

uint32_t length_of(napi_env env, napi_value array) {
  uint32_t length = 0;
  check(env, napi_get_array_length(env, array, &length));
  return length;
}

template <class T>
struct TypeOf;
template <>
struct TypeOf<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
};
template <>
struct TypeOf<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
};
template <>
struct TypeOf<int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
};

// Returns the elements of a typed array of the given length.
template <class T>
T* numbers_of(napi_env env, napi_value value, size_t wanted, const char* name) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  check(env, napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  if (type != TypeOf<T>::type) refuse(env, std::string(name) + " is an array of the wrong element type");
  if (length != wanted) {
    refuse(env, std::string(name) + " has " + std::to_string(length) + " numbers, not " + std::to_string(wanted));
  }
  return static_cast<T*>(data);
}

// The target of a handle; empty after its head was disposed of.
using HeadPlace = std::unique_ptr<Head>;

Head& head_of(napi_env env, napi_value handle) {
  void* place = nullptr;
  check(env, napi_get_value_external(env, handle, &place));
  Head* head = static_cast<HeadPlace*>(place)->get();
  if (head == nullptr) refuse(env, "the head was disposed of");
  return *head;
}

std::vector<Head*> heads_of(napi_env env, napi_value handles) {
  std::vector<Head*> heads(length_of(env, handles));
  for (uint32_t h = 0; h < heads.size(); h++) {
    heads[h] = &head_of(env, element(env, handles, h));
    if (heads[h]->config().inputs != heads[0]->config().inputs) refuse(env, "the heads read different features");
  }
  return heads;
}

const Kernels& kernels(napi_env env) {
  static const Kernels* found = find_kernels(std::getenv("GRAFT_HEAD_INSTRUCTIONS"));
  if (found == nullptr) refuse(env, "GRAFT_HEAD_INSTRUCTIONS names no instruction set of this machine (avx512, avx2, basic)");
  return *found;
}

HeadConfig config_of(napi_env env, napi_value object) {
  HeadConfig config;
  config.inputs = static_cast<ptrdiff_t>(number_property(env, object, "inputs"));
  const napi_value units = property(env, object, "units");
  for (uint32_t l = 0; l < length_of(env, units); l++) {
    config.units.push_back(static_cast<ptrdiff_t>(number_of(env, element(env, units, l))));
  }
  config.outputs = static_cast<ptrdiff_t>(number_property(env, object, "outputs"));
  config.activation = static_cast<Activation>(number_property(env, object, "activation"));
  config.dropout = static_cast<float>(number_property(env, object, "dropout"));
  config.dropout_scale = static_cast<float>(number_property(env, object, "dropoutScale"));
  config.l2 = static_cast<float>(number_property(env, object, "l2"));
  config.optimizer.rule = static_cast<Rule>(number_property(env, object, "rule"));
  config.optimizer.rho = static_cast<float>(number_property(env, object, "rho"));
  config.optimizer.epsilon = static_cast<float>(number_property(env, object, "epsilon"));
  config.optimizer.weight_decay = static_cast<float>(number_property(env, object, "weightDecay"));
  config.accumulation_steps = static_cast<int>(number_property(env, object, "accumulationSteps"));
  config.is_averaged = number_property(env, object, "isAveraged") != 0;
  config.clipping = static_cast<Clipping>(number_property(env, object, "clipping"));
  config.clipping_limit = static_cast<float>(number_property(env, object, "clippingLimit"));
  return config;
}

// createHead(config) → handle
napi_value create_head(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const HeadConfig config = config_of(env, arguments.values[0]);
  HeadPlace* place = new HeadPlace(new Head(config, kernels(env)));
  napi_value handle;
  check(env, napi_create_external(
                 env, place, [](napi_env, void* data, void*) { delete static_cast<HeadPlace*>(data); }, nullptr,
                 &handle));
  return handle;
}

// disposeHead(handle)
napi_value dispose_head(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  void* place = nullptr;
  check(env, napi_get_value_external(env, arguments.values[0], &place));
  static_cast<HeadPlace*>(place)->reset();
  return nullptr;
}

// Returns the values of a head's variable (kernel and bias by layer), or of one of its slots.
float* variable_of(napi_env env, const napi_value* arguments, size_t& count) {
  Head& head = head_of(env, arguments[0]);
  const size_t variable = static_cast<size_t>(number_of(env, arguments[1]));
  // −1 selects the variable itself.
  const int slot = static_cast<int>(number_of(env, arguments[2]));
  if (variable >= 2 * head.layers().size() || slot >= head.slot_count()) refuse(env, "there is no such variable");
  const Layer& layer = head.layers()[variable / 2];
  const bool is_bias = variable % 2 == 1;
  count = (is_bias ? 1 : layer.inputs) * layer.outputs;
  const Trained& trained = is_bias ? layer.bias : layer.kernel;
  return slot < 0 ? trained.values : trained.slots[slot];
}

// readVariable(handle, variable, slot, into)
napi_value read_variable(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  size_t count = 0;
  const float* values = variable_of(env, arguments.values, count);
  std::copy(values, values + count, numbers_of<float>(env, arguments.values[3], count, "into"));
  return nullptr;
}

// writeVariable(handle, variable, slot, values)
napi_value write_variable(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  size_t count = 0;
  float* values = variable_of(env, arguments.values, count);
  const float* given = numbers_of<float>(env, arguments.values[3], count, "values");
  std::copy(given, given + count, values);
  return nullptr;
}

size_t row_outputs(const std::vector<Head*>& heads) {
  size_t outputs = 0;
  for (const Head* head : heads) outputs += head->config().outputs;
  return outputs;
}

// Numbers of one head's step, as native-module.ts lists them.
constexpr size_t STEP_NUMBERS = 8;

// trainHeads(handles, features, rows, numbers, seeds, targets, sampleWeights, logits, penalties)
napi_value train(napi_env env, napi_callback_info info) {
  const Arguments<9> arguments(env, info);
  const napi_value* values = arguments.values;
  const std::vector<Head*> heads = heads_of(env, values[0]);
  if (heads.empty()) return nullptr;
  const size_t rows = static_cast<size_t>(number_of(env, values[2]));
  const float* features = numbers_of<float>(env, values[1], rows * heads[0]->config().inputs, "features");
  const double* numbers = numbers_of<double>(env, values[3], STEP_NUMBERS * heads.size(), "numbers");
  size_t masks = 0;
  for (const Head* head : heads) masks += head->mask_count();
  const int32_t* seeds = numbers_of<int32_t>(env, values[4], 2 * masks, "seeds");
  const float* targets = numbers_of<float>(env, values[5], rows * row_outputs(heads), "targets");
  const float* weights = numbers_of<float>(env, values[6], rows * heads.size(), "sampleWeights");
  float* logits = numbers_of<float>(env, values[7], rows * row_outputs(heads), "logits");
  double* penalties = numbers_of<double>(env, values[8], heads.size(), "penalties");
  std::vector<Step> steps(heads.size());
  for (size_t h = 0; h < heads.size(); h++) {
    Step& step = steps[h];
    step.rate = static_cast<float>(numbers[0]);
    step.momentum = static_cast<float>(numbers[1]);
    step.beta1_power = static_cast<float>(numbers[2]);
    step.beta2_power = static_cast<float>(numbers[3]);
    step.is_applied = numbers[4] != 0;
    step.average_momentum = static_cast<float>(numbers[5]);
    step.focal.gamma = static_cast<float>(numbers[6]);
    step.focal.alpha = static_cast<float>(numbers[7]);
    numbers += STEP_NUMBERS;
    step.seeds = seeds;
    step.targets = targets;
    step.sample_weights = weights;
    step.logits = logits;
    seeds += 2 * heads[h]->mask_count();
    targets += rows * heads[h]->config().outputs;
    weights += rows;
    logits += rows * heads[h]->config().outputs;
  }
  train_heads(heads, features, rows, steps);
  for (size_t h = 0; h < heads.size(); h++) penalties[h] = heads[h]->config().l2 == 0 ? 0 : heads[h]->penalty();
  return nullptr;
}

// predictHeads(handles, features, rows, logits)
napi_value predict(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  const std::vector<Head*> heads = heads_of(env, arguments.values[0]);
  if (heads.empty()) return nullptr;
  const size_t rows = static_cast<size_t>(number_of(env, arguments.values[2]));
  const float* features = numbers_of<float>(env, arguments.values[1], rows * heads[0]->config().inputs, "features");
  float* logits = numbers_of<float>(env, arguments.values[3], rows * row_outputs(heads), "logits");
  std::vector<float*> places;
  for (const Head* head : heads) {
    places.push_back(logits);
    logits += rows * head->config().outputs;
  }
  predict_heads(heads, features, rows, places);
  return nullptr;
}

// penaltyOf(handle) → number
napi_value penalty(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  napi_value result;
  check(env, napi_create_double(env, head_of(env, arguments.values[0]).penalty_now(), &result));
  return result;
}

// setThreadCount(count)
napi_value set_thread_count(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  WorkerPool::shared().set_thread_count(static_cast<int>(number_of(env, arguments.values[0])));
  return nullptr;
}

// instructionSet() → string
napi_value instruction_set(napi_env env, napi_callback_info) {
  napi_value result;
  check(env, napi_create_string_utf8(env, kernels(env).name, NAPI_AUTO_LENGTH, &result));
  return result;
}

// Stops C++ exceptions at the boundary to Node.
template <napi_value (*FUNCTION)(napi_env, napi_callback_info)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return FUNCTION(env, info);
  } catch (const Thrown&) {
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, nullptr, "graft heads: out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

template <napi_value (*FUNCTION)(napi_env, napi_callback_info)>
void add_function(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, guarded<FUNCTION>, nullptr, &function));
  check(env, napi_set_named_property(env, exports, name, function));
}

}  // namespace
}  // namespace graft

extern "C" __attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1() { return 8; }

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  using namespace graft;
  try {
    add_function<create_head>(env, exports, "createHead");
    add_function<dispose_head>(env, exports, "disposeHead");
    add_function<read_variable>(env, exports, "readVariable");
    add_function<write_variable>(env, exports, "writeVariable");
    add_function<train>(env, exports, "trainHeads");
    add_function<predict>(env, exports, "predictHeads");
    add_function<penalty>(env, exports, "penaltyOf");
    add_function<set_thread_count>(env, exports, "setThreadCount");
    add_function<instruction_set>(env, exports, "instructionSet");
  } catch (const Thrown&) {
    return nullptr;
  }
  return exports;
}
