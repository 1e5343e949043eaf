#include "app/trial_load.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <ostream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/printable.h"
#include "core/private_folder.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "emulate/process.h"
#include "model/graph.h"
#include "runtime/chain.h"
#include "runtime/options.h"

namespace cleave::app {
namespace {

constexpr std::int64_t kPatienceUs = 3'600'000'000;
constexpr std::size_t kMaxMessage = 2048;
constexpr std::int64_t kMostFileBytes = 16 << 20;  // Of each file that a trial writes.
// A child that a signal ended has this much in its exit status, besides the signal.
constexpr int kSignalled = 128;

// A file whose being there says that this very model was loaded in this way before.
std::string NotePath(const TrialLoad& trial, const std::string& digest) {
  const std::string key =
      absl::StrCat(digest, "|", trial.cuts, "|", trial.threads, "|", trial.provider, "|",
                   absl::StrJoin(trial.shapes, "|"), "|", OnnxRuntimeVersion(),
                   trial.limits ? absl::StrCat("|", trial.limits->memory_bytes) : "");
  return absl::StrCat(CacheDir(), "/loaded/", Sha256Hex(key).substr(0, 24));
}

bool WentWellBefore(const std::string& note) {
  std::error_code unknown;
  return CheckPrivateFolder(CacheDir()).ok() && std::filesystem::exists(note, unknown);
}

// A note that cannot be written costs another trial, nothing else.
void WriteNote(const std::string& note, const std::string& model) {
  if (!MakePrivateFolder(CacheDir()).ok()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(note).parent_path(), ignored);
  WriteFileAtomically(note, model + "\n").IgnoreError();
}

std::vector<std::string> CommandOf(const TrialLoad& trial) {
  std::vector<std::string> command = {"/proc/self/exe",
                                      "try-load",
                                      trial.model,
                                      "--cuts",
                                      trial.cuts,
                                      "--threads",
                                      absl::StrCat(trial.threads),
                                      "--provider",
                                      trial.provider};
  for (const std::string& shape : trial.shapes) {
    command.emplace_back("--shape");
    command.push_back(shape);
  }
  if (trial.limits) {
    command.emplace_back("--time");
    command.push_back(absl::StrCat(trial.limits->time_us, "us"));
    command.emplace_back("--memory");
    command.push_back(absl::StrCat(trial.limits->memory_bytes));
  }
  return command;
}

absl::Status Limit(int resource, std::int64_t most) {
  const auto value = static_cast<rlim_t>(most);
  const rlimit limit{value, value};
  if (setrlimit(resource, &limit) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "limits of a trial");
}

absl::Status Obey(const TrialLoad::Limits& limits, int threads) {
  CLEAVE_RETURN_IF_ERROR(Limit(RLIMIT_DATA, limits.memory_bytes));
  CLEAVE_RETURN_IF_ERROR(Limit(RLIMIT_CPU, (limits.time_us / 1'000'000 + 1) * threads));
  CLEAVE_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, kMostFileBytes));
  return Limit(RLIMIT_CORE, 0);
}

// What became of a child that had limits.
absl::Status OutcomeWithinLimits(const std::string& model, const TrialLoad::Limits& limits,
                                 const std::string& last, const absl::StatusOr<int>& exit_status) {
  if (absl::IsDeadlineExceeded(exit_status.status())) {
    return absl::ResourceExhaustedError(
        absl::StrCat(model, ": ", last, " took longer than ",
                     FormatDuration(static_cast<double>(limits.time_us))));
  }
  CLEAVE_RETURN_IF_ERROR(exit_status.status());
  if (*exit_status == 0) return absl::OkStatus();
  if (*exit_status < kSignalled) return absl::InvalidArgumentError(last);
  return absl::ResourceExhaustedError(absl::StrCat(
      model, ": ", last, " ended a process that tried it (", strsignal(*exit_status - kSignalled),
      ") with ", limits.memory_bytes, " bytes of memory"));
}

}  // namespace

absl::Status TryLoading(const TrialLoad& trial) {
  const absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Load(trial.model);
  if (!graph.ok()) return trial.limits ? graph.status() : absl::OkStatus();
  const std::string note = NotePath(trial, (*graph)->digest());
  if (WentWellBefore(note)) return absl::OkStatus();
  emulate::ProcessOptions options;
  options.argv = CommandOf(trial);
  options.stderr_path = "/dev/null";
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<emulate::Process> child,
                          emulate::Process::Start(std::move(options)));
  std::string last = "reading the model";
  const std::int64_t due_us =
      Clock::Steady().NowUs() + (trial.limits ? trial.limits->time_us : kPatienceUs);
  const auto left_us = [due_us] {
    return std::max<std::int64_t>(0, due_us - Clock::Steady().NowUs());
  };
  for (auto line = child->ReadLine(left_us()); line.ok(); line = child->ReadLine(left_us())) {
    last = *line;
  }
  const absl::StatusOr<int> ended = child->Wait(left_us());
  if (trial.limits) {
    CLEAVE_RETURN_IF_ERROR(OutcomeWithinLimits(trial.model, *trial.limits, last, ended));
    WriteNote(note, trial.model);
    return absl::OkStatus();
  }
  CLEAVE_ASSIGN_OR_RETURN(const int exit_status, ended);
  if (exit_status == 0) WriteNote(note, trial.model);
  if (exit_status <= kSignalled) return absl::OkStatus();
  const int signal = exit_status - kSignalled;
  if (signal == SIGINT || signal == SIGTERM) return absl::CancelledError("interrupted");
  return absl::InternalError(absl::StrCat(trial.model, ": ", last,
                                          " ended a process that tried it (", strsignal(signal),
                                          "); other --cuts may avoid it"));
}

namespace {

absl::Status LoadAndRun(const TrialLoad& trial, std::ostream& out) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(trial.model));
  ExitModelsOptions options;
  CLEAVE_ASSIGN_OR_RETURN(options.cuts, CandidateSpec::Parse(trial.cuts));
  CLEAVE_ASSIGN_OR_RETURN(options.runtime.provider, ProviderSpec::Parse(trial.provider));
  options.runtime.threads = trial.threads;
  for (const std::string& shape : trial.shapes) {
    CLEAVE_RETURN_IF_ERROR(ParseShapeFlag(shape, options.inputs));
  }
  // An edge is given the shapes of all its models.
  std::erase_if(options.inputs.shapes,
                [&graph](const auto& entry) { return graph->FindTensor(entry.first) < 0; });
  out << "a run of the whole model" << std::endl;
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ExitModel> tables, BuildExitTables(graph, options));
  int segments = 0;
  for (const ExitModel& exit : tables) segments += static_cast<int>(exit.candidates.size()) - 1;
  out << "loading segment 1 of " << segments << std::endl;
  options.on_progress = [&out](int done, int total) {
    if (done < total) out << "loading segment " << done + 1 << " of " << total << std::endl;
  };
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ExitModel> exits, BuildExitModels(graph, options));
  out << "a run of all segments" << std::endl;
  for (const ExitModel& exit : exits) {
    CLEAVE_ASSIGN_OR_RETURN(const auto inputs,
                            RandomInputs(exit.table.inputs.specs, 1, graph->value_hints()));
    CLEAVE_RETURN_IF_ERROR(exit.chain->Run(0, exit.chain->segments(), inputs).status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunTrialLoad(const TrialLoad& trial, std::ostream& out) {
  if (trial.limits) CLEAVE_RETURN_IF_ERROR(Obey(*trial.limits, trial.threads));
  absl::Status tried = LoadAndRun(trial, out);
  if (!tried.ok()) out << Printable(tried.message(), kMaxMessage) << std::endl;
  return tried;
}

}  // namespace cleave::app
