#include "device/explain.h"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "app/explain_report.h"
#include "cli/commands.h"
#include "cli/device_flags.h"
#include "core/file.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "core/units.h"

namespace cleave::cli {
namespace {

struct ExplainFlags {
  DeviceFlags device;
  std::string rate;
  std::string down;
  std::string rtt;
  std::string queue;
  std::string picture;
  bool all = false;
  AssumedState state;
  bool json = false;
  std::string plot;
};

absl::StatusOr<AssumedState> Assumed(const ExplainFlags& flags) {
  AssumedState state = flags.state;
  if (!flags.rate.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(state.up_bps, ParseRateBps(flags.rate));
    state.down_bps = state.up_bps;
  }
  if (!flags.down.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(state.down_bps, ParseRateBps(flags.down));
  }
  std::int64_t rtt_us = static_cast<std::int64_t>(state.rtt_us);
  std::int64_t queue_us = 0;
  if (!flags.rtt.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(rtt_us, ParseDurationUs(flags.rtt));
  }
  if (!flags.queue.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(queue_us, ParseDurationUs(flags.queue));
  }
  if (!flags.picture.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t bytes, ParseBytes(flags.picture));
    state.picture_bytes = static_cast<double>(bytes);
  }
  state.rtt_us = static_cast<double>(rtt_us);
  state.queue_us = static_cast<double>(queue_us);
  return state;
}

absl::StatusOr<std::vector<PlanForecast>> Present(const std::string& model,
                                                  const DeviceOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device, Device::Open(model, options));
  if (!device->edge_usable()) std::cerr << "cleave: " << Printable(device->edge_problem()) << "\n";
  return device->Explain(options.runtime.batch);
}

absl::Status Explain(const ExplainFlags& flags) {
  const std::string& model = flags.device.model;
  CLEAVE_ASSIGN_OR_RETURN(const DeviceOptions options, flags.device.Parse());
  if (options.edge.address.empty() && flags.rate.empty()) {
    return absl::InvalidArgumentError(
        "explain: found neither --edge nor --rate, expected one of them");
  }
  CLEAVE_ASSIGN_OR_RETURN(const AssumedState state, Assumed(flags));
  CLEAVE_RETURN_IF_ERROR(flags.device.TryModel());
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<PlanForecast> rows,
                          options.edge.address.empty() ? ExplainAssumed(model, options, state)
                                                       : Present(model, options));
  const std::vector<PlanForecast> shown = flags.all ? rows : app::BestOfEachCut(rows);
  std::cout << (flags.json ? app::ForecastJson(model, options.runtime.batch, rows)
                           : app::ForecastText(shown));
  if (!flags.json && shown.size() < rows.size()) {
    std::cout << "(each cut in its fastest encoding that is allowed; --all shows " << rows.size()
              << " plans)\n";
  }
  if (flags.plot.empty()) return absl::OkStatus();
  const std::string title =
      absl::StrCat("Predicted time of each plan: ", model, ", batch ", options.runtime.batch);
  return WriteFileAtomically(flags.plot, app::ForecastSvg(title, shown));
}

}  // namespace

void AddExplain(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "explain", "Predict the time of every plan, phase by phase, and say which one wins");
  const auto flags = std::make_shared<ExplainFlags>();
  flags->device.AddTo(*command);
  CLI::Option* edge = command->get_option("--edge");
  const auto by_hand = [&](const std::string& name, auto& value, const std::string& text) {
    return command->add_option(name, value, text)->excludes(edge);
  };
  by_hand("--rate", flags->rate,
          "Rate of the link, such as 10mbit, to assume instead of asking an edge")
      ->type_name("RATE");
  by_hand("--down", flags->down, "Rate of the downlink to assume (default: that of --rate)")
      ->type_name("RATE");
  by_hand("--rtt", flags->rtt, "Round-trip time to assume, in ms (default: 20)")->type_name("MS");
  by_hand("--queue", flags->queue, "Wait in the edge's queue to assume, in ms (default: 0)")
      ->type_name("MS");
  by_hand("--device-slowdown", flags->state.device_slowdown,
          "Factor by which the device is slower than its profile")
      ->capture_default_str();
  by_hand("--edge-slowdown", flags->state.edge_slowdown,
          "Factor by which the edge is slower than its profile")
      ->capture_default_str();
  by_hand("--edge-profile", flags->state.edge_profile,
          "Profile of the edge (default: that of the device)")
      ->type_name("FILE");
  by_hand("--picture-size", flags->picture,
          "Bytes of the file of a picture, if inputs are pictures (default: inputs are tensors)")
      ->type_name("BYTES");
  command->add_flag("--all", flags->all, "Show every encoding of every cut, not only the fastest");
  command->add_flag("--json", flags->json, "Print every plan as JSON");
  command
      ->add_option("--plot", flags->plot,
                   "Write stacked bars of the phases to this SVG file (default: none)")
      ->type_name("FILE");
  command->callback([flags, &action] { action = [flags] { return Explain(*flags); }; });
}

}  // namespace cleave::cli
