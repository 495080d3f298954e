// The module that tfjs loads as tfjs_binding.node; it loads the real binding (libgraft_tfjs_binding.so) behind it.
//
// Why: TensorFlow 2.21 logs through absl. Python applies TF_CPP_MIN_LOG_LEVEL when it initialises absl's logging; a
// program that only loads the C API never does, and one INFO line is already printed by a static initialiser of
// libtensorflow_framework, before any call could set the level. So: while the libraries load, standard error goes to a
// temporary file, of which everything but INFO lines is passed on; then the level is set for what comes later.
#include <dlfcn.h>
#include <node_api.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#define GRAFT_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// Warnings and worse, unless the variable says otherwise.
int wanted_log_level() {
  const char* value = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  return value != nullptr && value[0] >= '0' && value[0] <= '3' ? value[0] - '0' : 1;
}

bool is_info(const char* line) {
  return (line[0] == 'I' && line[1] >= '0' && line[1] <= '9') ||
         std::strncmp(line, "WARNING: All log messages before absl::InitializeLog()", 54) == 0;
}

// Loads a library with the caller's run path; INFO lines printed meanwhile are dropped.
void* load_quietly(const char* name) {
  std::FILE* kept = std::tmpfile();
  const int standard_error = kept == nullptr ? -1 : dup(STDERR_FILENO);
  if (standard_error < 0) return dlopen(name, RTLD_LAZY | RTLD_LOCAL);
  dup2(fileno(kept), STDERR_FILENO);
  void* library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
  dup2(standard_error, STDERR_FILENO);
  close(standard_error);
  std::rewind(kept);
  char line[4096];
  while (std::fgets(line, sizeof line, kept) != nullptr) {
    if (!is_info(line)) std::fputs(line, stderr);
  }
  std::fclose(kept);
  return library;
}

void set_min_log_level(void* library, int level) {
  // absl::SetMinLogLevel(LogSeverityAtLeast), by name: absl's inline namespace carries its release, so a library built
  // with another absl merely keeps its default.
  using SetMinLogLevel = void (*)(int);
  const auto set_level = reinterpret_cast<SetMinLogLevel>(
      dlsym(library, "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE"));
  if (set_level != nullptr) set_level(level);
}

}  // namespace

GRAFT_EXPORT int32_t node_api_module_get_api_version_v1() { return 8; }

GRAFT_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const char* name = "libgraft_tfjs_binding.so";
  const int level = wanted_log_level();
  void* binding = level == 0 ? dlopen(name, RTLD_LAZY | RTLD_LOCAL) : load_quietly(name);
  using RegisterModule = napi_value (*)(napi_env, napi_value);
  const auto register_module =
      binding == nullptr ? nullptr : reinterpret_cast<RegisterModule>(dlsym(binding, "napi_register_module_v1"));
  if (register_module == nullptr) {
    const char* problem = dlerror();
    napi_throw_error(env, nullptr, problem == nullptr ? "the TensorFlow binding could not be loaded" : problem);
    return nullptr;
  }
  set_min_log_level(binding, level);
  return register_module(env, exports);
}
