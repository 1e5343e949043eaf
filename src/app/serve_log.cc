#include "app/serve_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "core/printable.h"
#include "core/units.h"

namespace cleave::app {

struct ServeLog::Logger {
  void Json(nlohmann::json line) {
    line["time_us"] = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
    // A peer's model name may hold anything.
    spd->info(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }

  std::shared_ptr<spdlog::logger> spd =
      std::make_shared<spdlog::logger>("serve", std::make_shared<spdlog::sinks::stderr_sink_mt>());
};

ServeLog::ServeLog(const ServeLogOptions& options)
    : options_(options), logger_(std::make_unique<Logger>()) {
  const bool json = options_.form == ServeLogOptions::Form::kJson;
  logger_->spd->set_pattern(json ? "%v" : "%Y-%m-%d %H:%M:%S.%e %l %v");
  logger_->spd->flush_on(spdlog::level::info);
}

ServeLog::~ServeLog() = default;

void ServeLog::Event(const EdgeEvent& event) {
  const bool json = options_.form == ServeLogOptions::Form::kJson;
  const bool routine = event.kind == EdgeEventKind::kInfer || event.kind == EdgeEventKind::kRefused;
  if (routine && !json && options_.detail == ServeLogOptions::Detail::kEventsOnly) return;
  if (json) {
    logger_->Json({{"event", std::string(EdgeEventKindName(event.kind))},
                   {"model", Shortened(event.model)},
                   {"exit", event.exit ? nlohmann::json(*event.exit) : nlohmann::json(nullptr)},
                   {"cut", event.cut},
                   {"batch", event.batch},
                   {"queue_us", event.queue_us},
                   {"compute_us", event.compute_us},
                   {"error", Shortened(event.error)}});
  } else if (!event.error.empty()) {
    logger_->spd->warn("{} {}: {}", std::string(EdgeEventKindName(event.kind)),
                       Printable(event.model), Printable(event.error));
  } else if (event.kind == EdgeEventKind::kInfer) {
    logger_->spd->info("infer {}{} at cut {}, batch {}: {} in the queue, {} at work",
                       Printable(event.model),
                       event.exit ? absl::StrCat(" to exit ", *event.exit) : "", event.cut,
                       event.batch, FormatDuration(static_cast<double>(event.queue_us)),
                       FormatDuration(static_cast<double>(event.compute_us)));
  } else {
    logger_->spd->info("{} {}", std::string(EdgeEventKindName(event.kind)), Printable(event.model));
  }
}

void ServeLog::Progress(const std::string& model, int done, int total) {
  const bool json = options_.form == ServeLogOptions::Form::kJson;
  if (json) {
    logger_->Json(
        {{"event", "load"}, {"model", Shortened(model)}, {"done", done}, {"total", total}});
  } else if (isatty(STDERR_FILENO) != 0) {
    std::cerr << "\rloading " << Printable(model) << ": " << done << "/" << total << " segments"
              << (done == total ? "\n" : "") << std::flush;
  } else if (done == total) {
    logger_->spd->info("loaded {}: {} segments", Printable(model), total);
  }
}

void ServeLog::Plain(const std::string& event, const std::string& text) {
  const bool json = options_.form == ServeLogOptions::Form::kJson;
  if (json) {
    logger_->Json({{"event", event}, {"text", text}});
  } else {
    logger_->spd->info(text);
  }
}

}  // namespace cleave::app
