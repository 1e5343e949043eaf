#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/text_table.h"
#include "core/units.h"
#include "experiments/elastic/experiment.h"
#include "experiments/rig/json.h"

namespace cleave::experiments::elastic {

// The files call a policy `way`.
void to_json(nlohmann::json& nlohmann_json_j, const Agreement& nlohmann_json_t) {
  nlohmann_json_j["way"] = nlohmann_json_t.policy;
  NLOHMANN_JSON_EXPAND(
      NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, pictures, measured, expected, margin, agrees))
}

void to_json(nlohmann::json& nlohmann_json_j, const Results& nlohmann_json_t) {
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, model, digest, link, command, batch,
                                           device_share, device_slowed, accuracy_drop, encodings,
                                           calibration_samples, notes, cells, agreements, complete))
}

namespace {

std::vector<double> Rates(const Results& results) {
  std::vector<double> rates;
  for (const Cell& cell : results.cells) {
    if (rates.empty() || rates.back() != cell.rate_bps) rates.push_back(cell.rate_bps);
  }
  return rates;
}

const Cell* Find(const Results& results, const std::string& policy, double rate_bps) {
  for (const Cell& cell : results.cells) {
    if (cell.policy == policy && cell.rate_bps == rate_bps) return &cell;
  }
  return nullptr;
}

// A row for each policy, a column for each rate.
template <typename Text>
std::string Table(const Results& results, const std::string& title, Text text) {
  std::vector<TextTable::Column> columns = {{title, TextTable::Align::kLeft}};
  for (const double rate : Rates(results)) columns.push_back({FormatRate(rate)});
  TextTable table(std::move(columns));
  for (const std::string& policy : Policies()) {
    std::vector<std::string> cells = {policy};
    for (const double rate : Rates(results)) {
      const Cell* cell = Find(results, policy, rate);
      cells.push_back(cell == nullptr ? "-" : text(*cell));
    }
    table.Add(std::move(cells));
  }
  return table.Markdown() + "\n";
}

double RightShare(const Cell& cell) {
  return cell.pictures > 0 ? static_cast<double>(cell.right) / static_cast<double>(cell.pictures)
                           : 0;
}

// Compares the best of the policies that send float32 or nothing with the whole plan space.
std::string RatioTable(const Results& results) {
  TextTable table({{"rate", TextTable::Align::kLeft},
                   {"best fp32 plan"},
                   {"full plan space"},
                   {"ratio"},
                   {"accuracy given up"}});
  for (const double rate : Rates(results)) {
    const Cell* best = nullptr;
    for (const std::string& policy : Policies()) {
      const bool plain = policy == "device only" || policy == "edge only, fp32" ||
                         policy == "best fixed cut, fp32" || policy == "dynamic, fp32";
      const Cell* cell = plain ? Find(results, policy, rate) : nullptr;
      if (cell != nullptr && (best == nullptr || cell->mean_us < best->mean_us)) best = cell;
    }
    const Cell* full = Find(results, Policies().back(), rate);
    const Cell* device = Find(results, Policies().front(), rate);
    if (best == nullptr || full == nullptr || device == nullptr) continue;
    table.Add(
        {FormatRate(rate), absl::StrFormat("%s (%s)", FormatDuration(best->mean_us), best->policy),
         FormatDuration(full->mean_us), absl::StrFormat("%.2f", best->mean_us / full->mean_us),
         absl::StrFormat("%.2f points", 100 * (RightShare(*device) - RightShare(*full)))});
  }
  return table.Markdown() + "\n";
}

std::string AgreementTable(const Results& results) {
  TextTable table({{"policy", TextTable::Align::kLeft},
                   {"calibrated"},
                   {"measured"},
                   {"95% margin"},
                   {"agree", TextTable::Align::kLeft}});
  for (const Agreement& one : results.agreements) {
    table.Add({one.policy, absl::StrFormat("%.2f%%", 100 * one.expected),
               absl::StrFormat("%.2f%%", 100 * one.measured),
               absl::StrFormat("%.2f", 100 * one.margin), one.agrees ? "yes" : "no"});
  }
  return table.Markdown();
}

}  // namespace

std::string ToJson(const Results& results) { return nlohmann::json(results).dump(1) + "\n"; }

std::string ToText(const Results& results) {
  return absl::StrCat(
      Table(results, "mean time (quartiles), ms",
            [](const Cell& cell) {
              return absl::StrFormat("%.1f (%.1f to %.1f)", cell.mean_us / 1e3, cell.p25_us / 1e3,
                                     cell.p75_us / 1e3);
            }),
      Table(results, "sent for each picture",
            [&](const Cell& cell) {
              return FormatBytes(cell.bytes_up / static_cast<double>(results.batch));
            }),
      Table(results, "right",
            [](const Cell& cell) { return absl::StrFormat("%.2f%%", 100 * RightShare(cell)); }),
      Table(results, "plan most used (cut/encoding/exit)",
            [](const rig::Cell& cell) { return rig::MostUsedPlan(cell.plans); }),
      RatioTable(results), AgreementTable(results));
}

}  // namespace cleave::experiments::elastic
