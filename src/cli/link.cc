#include <iostream>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/stop_signals.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "emulate/relay.h"

namespace cleave::cli {
namespace {

struct Options {
  std::string listen = "127.0.0.1:0";
  std::string to;
  std::string rate, trace, delay;
  std::string down_rate, down_trace, down_delay;
  std::string schedule;
};

absl::StatusOr<emulate::LinkShape> MakeShape(const std::string& rate, const std::string& trace,
                                             const std::string& delay) {
  emulate::LinkShape shape;
  if (!rate.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(shape.rate_bps, ParseRateBps(rate));
  }
  if (!trace.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(shape.trace, Trace::Load(trace));
  }
  if (!delay.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(shape.delay_us, ParseDurationUs(delay));
  }
  CLEAVE_RETURN_IF_ERROR(shape.Validate());
  return shape;
}

absl::Status FollowSchedule(emulate::Relay& relay, const std::vector<emulate::ScheduleStep>& steps,
                            std::int64_t delay_us, StopSignals& signals) {
  const std::int64_t start_us = Clock::Steady().NowUs();
  for (const emulate::ScheduleStep& step : steps) {
    const std::int64_t left_us = start_us + step.at_us - Clock::Steady().NowUs();
    if (left_us > 0 && signals.WaitFor(left_us)) return absl::OkStatus();
    emulate::LinkShape shape = step.shape;
    shape.delay_us = delay_us;
    CLEAVE_RETURN_IF_ERROR(relay.SetShapes(shape, shape));
    std::cout << FormatDuration(static_cast<double>(step.at_us)) << ": "
              << (shape.dead ? "dead" : FormatRate(*shape.rate_bps)) << std::endl;
  }
  signals.Wait();
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  emulate::RelayOptions relay_options;
  relay_options.listen = options.listen;
  relay_options.to = options.to;
  CLEAVE_ASSIGN_OR_RETURN(relay_options.up, MakeShape(options.rate, options.trace, options.delay));
  const bool same_rate = options.down_rate.empty() && options.down_trace.empty();
  CLEAVE_ASSIGN_OR_RETURN(
      relay_options.down,
      MakeShape(same_rate ? options.rate : options.down_rate,
                same_rate ? options.trace : options.down_trace,
                options.down_delay.empty() ? options.delay : options.down_delay));
  std::vector<emulate::ScheduleStep> steps;
  if (!options.schedule.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(steps, emulate::ParseSchedule(options.schedule));
  }

  IgnoreBrokenPipes();
  StopSignals signals;
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<emulate::Relay> relay,
                          emulate::Relay::Start(relay_options));
  signals.Ready();
  std::cout << "listening on " << options.listen.substr(0, options.listen.rfind(':') + 1)
            << relay->port() << std::endl;
  if (!steps.empty()) {
    return FollowSchedule(*relay, steps, relay_options.up.delay_us, signals);
  }
  signals.Wait();
  return absl::OkStatus();
}

}  // namespace

void AddLink(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("link", "Relay TCP connections over a shaped link (no root needed)");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("--listen", options->listen, "Address to listen on; port 0 takes any free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command->add_option("--to", options->to, "Address to connect to")
      ->type_name("HOST:PORT")
      ->required();
  CLI::Option* rate = command->add_option(
      "--rate", options->rate, "Rate in both directions, such as 10mbit (default: no limit)");
  rate->type_name("RATE");
  command
      ->add_option("--trace", options->trace,
                   "Mahimahi trace to follow instead of a fixed rate (default: none)")
      ->type_name("FILE")
      ->excludes(rate);
  command
      ->add_option("--delay", options->delay,
                   "Delay in each direction, in ms or with a unit, such as 20ms (default: 0)")
      ->type_name("DURATION");
  command
      ->add_option("--down-rate", options->down_rate,
                   "Rate from the edge to the device (default: that of --rate)")
      ->type_name("RATE");
  command
      ->add_option("--down-trace", options->down_trace,
                   "Trace from the edge to the device (default: that of --trace)")
      ->type_name("FILE");
  command
      ->add_option("--down-delay", options->down_delay,
                   "Delay from the edge to the device (default: that of --delay)")
      ->type_name("DURATION");
  command
      ->add_option("--schedule", options->schedule,
                   "Rates over time in both directions, such as "
                   "0s:50mbit,10s:2mbit,20s:dead,25s:50mbit (default: none)")
      ->type_name("TIME:RATE,...");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
