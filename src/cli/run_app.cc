#include "cli/run_app.h"

#include <cstdio>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/printable.h"
#include "core/private_folder.h"

namespace cleave::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongCommandLine = 2;
constexpr std::size_t kMaxMessage = 16 << 10;

void Report(const std::string& name, absl::string_view message) {
  std::cerr << name << ": " << Printable(message, kMaxMessage) << "\n";
}

// A full disk or a closed pipe may show only when the last bytes are written.
int CheckOutput(const std::string& name, int exit_code) {
  std::cout.flush();
  const bool written = std::cout.good() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written) return exit_code;
  Report(name, "standard output: not all could be written (disk full, or its reader has gone)");
  return exit_code == 0 ? kFailed : exit_code;
}

int Run(CLI::App& app, const Action& action, const std::string& name, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongCommandLine;
  }
  if (const absl::Status cache = CheckPrivateFolder(CacheDir()); !cache.ok()) {
    Report(name, absl::StrCat("the cache is not used: ", cache.message()));
  }
  const absl::Status status = action ? action() : absl::OkStatus();
  if (status.ok()) return 0;
  Report(name, status.message());
  return kFailed;
}

}  // namespace

int RunApp(CLI::App& app, const Action& action, const std::string& name, int argc, char** argv) {
  return CheckOutput(name, Run(app, action, name, argc, argv));
}

}  // namespace cleave::cli
