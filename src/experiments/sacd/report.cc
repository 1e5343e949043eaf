#include "experiments/sacd/report.h"

#include <algorithm>

#include "core/file.h"
#include "experiments/report/assets.h"
#include "experiments/report/page.h"
#include "experiments/sacd/json.h"

namespace cleave::experiments::sacd {
namespace {

constexpr std::size_t kMostPoints = 1500;  // The scatter chart shows so many of a policy at most.

using Json = nlohmann::json;

// Replayed and measured time, every so many, since a page need not hold all steps.
Json Scatter(const Real& real) {
  Json scatter = Json::object();
  for (const auto& [policy, steps] : real.steps) {
    Json& points = scatter[policy] = Json::array();
    const std::size_t stride = 1 + steps.size() / kMostPoints;
    for (std::size_t i = 0; i < steps.size(); i += stride) {
      const Step& step = steps[i];
      if (step.replayed_us > 0 && step.fallback.empty()) {
        points.push_back({step.latency_us, step.replayed_us});
      }
    }
  }
  return scatter;
}

}  // namespace

std::string RenderReport(const Results& results) {
  Json content = results;
  content["real"]["scatter"] = Scatter(results.real);
  content["real"].erase("steps");
  content["curves"] = Json::parse(results.curves, nullptr, false);
  if (content["curves"].is_discarded()) content["curves"] = nullptr;
  return report::RenderPage("cleave: learned policies, measured",
                            content.dump(-1, ' ', true, Json::error_handler_t::replace),
                            report::SacdScript());
}

absl::Status WriteReport(const Results& results, const std::string& path) {
  return WriteFileAtomically(path, RenderReport(results));
}

}  // namespace cleave::experiments::sacd
