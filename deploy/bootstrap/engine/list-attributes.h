// Passes lists of strings and of types as attributes of an op, which TensorFlow's fused kernels need and tfjs' binding can't pass.
#ifndef GRAFT_LIST_ATTRIBUTES_H_
#define GRAFT_LIST_ATTRIBUTES_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensorflow/c/eager/c_api.h"

namespace graft {

// Reads the elements of an array; false for any other value.
inline bool elements_of(napi_env env, napi_value value, std::vector<napi_value>& elements) {
  bool is_array = false;
  std::uint32_t length = 0;
  if (napi_is_array(env, value, &is_array) != napi_ok || !is_array) return false;
  if (napi_get_array_length(env, value, &length) != napi_ok) return false;
  elements.resize(length);
  for (std::uint32_t index = 0; index < length; index += 1) {
    if (napi_get_element(env, value, index, &elements[index]) != napi_ok) return false;
  }
  return true;
}

inline bool set_strings(napi_env env, TFE_Op* op, const char* name, const std::vector<napi_value>& elements) {
  std::vector<std::string> strings(elements.size());
  std::vector<const void*> pointers(elements.size());
  std::vector<std::size_t> sizes(elements.size());
  for (std::size_t index = 0; index < elements.size(); index += 1) {
    if (napi_get_value_string_utf8(env, elements[index], nullptr, 0, &sizes[index]) != napi_ok) return false;
    strings[index].resize(sizes[index]);
    // The terminating zero overwrites the string's own.
    napi_get_value_string_utf8(env, elements[index], &strings[index][0], sizes[index] + 1, &sizes[index]);
    pointers[index] = strings[index].data();
  }
  TFE_OpSetAttrStringList(op, name, pointers.data(), sizes.data(), static_cast<int>(elements.size()));
  return true;
}

inline bool set_types(napi_env env, TFE_Op* op, const char* name, const std::vector<napi_value>& elements) {
  std::vector<TF_DataType> types(elements.size());
  for (std::size_t index = 0; index < elements.size(); index += 1) {
    std::int32_t number = 0;
    if (napi_get_value_int32(env, elements[index], &number) != napi_ok) return false;
    types[index] = static_cast<TF_DataType>(number);
  }
  TFE_OpSetAttrTypeList(op, name, types.data(), static_cast<int>(types.size()));
  return true;
}

// Sets the attribute and returns true if the value is an array of strings or of types; else does nothing.
inline bool set_list(napi_env env, TFE_Op* op, const char* name, TF_AttrType type, napi_value value) {
  std::vector<napi_value> elements;
  if (type != TF_ATTR_STRING && type != TF_ATTR_TYPE) return false;
  if (!elements_of(env, value, elements)) return false;
  return type == TF_ATTR_STRING ? set_strings(env, op, name, elements) : set_types(env, op, name, elements);
}

}  // namespace graft

#endif  // GRAFT_LIST_ATTRIBUTES_H_
