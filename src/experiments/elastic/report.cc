#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/units.h"
#include "experiments/elastic/experiment.h"

namespace cleave::experiments::elastic {

#define CLEAVE_JSON NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT
CLEAVE_JSON(Cell, way, rate_bps, inferences, fallbacks, mean_us, median_us, p25_us, p75_us,
            predicted_us, bytes_up, believed_up_bps, believed_rtt_us, device_slowdown,
            edge_slowdown, pictures, right, expected_accuracy, plans)
CLEAVE_JSON(Agreement, way, pictures, measured, expected, margin, agrees)
CLEAVE_JSON(Results, model, digest, link, command, batch, device_share, device_slowed,
            accuracy_drop, encodings, calibration_samples, notes, cells, agreements, complete)
#undef CLEAVE_JSON

namespace {

std::vector<double> Rates(const Results& results) {
  std::vector<double> rates;
  for (const Cell& cell : results.cells) {
    if (rates.empty() || rates.back() != cell.rate_bps) rates.push_back(cell.rate_bps);
  }
  return rates;
}

const Cell* Find(const Results& results, const std::string& way, double rate_bps) {
  for (const Cell& cell : results.cells) {
    if (cell.way == way && cell.rate_bps == rate_bps) return &cell;
  }
  return nullptr;
}

// One line for each way, one column for each rate.
template <typename Text>
std::string Table(const Results& results, const std::string& title, Text text) {
  std::string table = absl::StrCat("| ", title, " |");
  std::string rule = "|---|";
  for (const double rate : Rates(results)) {
    absl::StrAppend(&table, " ", FormatRate(rate), " |");
    absl::StrAppend(&rule, "--:|");
  }
  absl::StrAppend(&table, "\n", rule, "\n");
  for (const std::string& way : Ways()) {
    absl::StrAppend(&table, "| ", way, " |");
    for (const double rate : Rates(results)) {
      const Cell* cell = Find(results, way, rate);
      absl::StrAppend(&table, " ", cell == nullptr ? "-" : text(*cell), " |");
    }
    absl::StrAppend(&table, "\n");
  }
  return absl::StrCat(table, "\n");
}

double RightShare(const Cell& cell) {
  return cell.pictures > 0 ? static_cast<double>(cell.right) / static_cast<double>(cell.pictures)
                           : 0;
}

std::string MostUsedPlan(const Cell& cell) {
  const auto most =
      std::max_element(cell.plans.begin(), cell.plans.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == cell.plans.end() ? "-" : most->first;
}

// The best of the ways that send float32 or nothing, over the whole plan space.
std::string RatioTable(const Results& results) {
  std::string table =
      "| rate | best fp32 plan | full plan space | ratio | accuracy given up |\n"
      "|---|--:|--:|--:|--:|\n";
  for (const double rate : Rates(results)) {
    const Cell* best = nullptr;
    for (const std::string& way : Ways()) {
      const bool plain = way == "device only" || way == "edge only, fp32" ||
                         way == "best fixed cut, fp32" || way == "dynamic, fp32";
      const Cell* cell = plain ? Find(results, way, rate) : nullptr;
      if (cell != nullptr && (best == nullptr || cell->mean_us < best->mean_us)) best = cell;
    }
    const Cell* full = Find(results, Ways().back(), rate);
    const Cell* device = Find(results, Ways().front(), rate);
    if (best == nullptr || full == nullptr || device == nullptr) continue;
    absl::StrAppendFormat(&table, "| %s | %s (%s) | %s | %.2f | %.2f points |\n", FormatRate(rate),
                          FormatDuration(best->mean_us), best->way, FormatDuration(full->mean_us),
                          best->mean_us / full->mean_us,
                          100 * (RightShare(*device) - RightShare(*full)));
  }
  return absl::StrCat(table, "\n");
}

std::string AgreementTable(const Results& results) {
  std::string table =
      "| way | calibrated | measured | 95% margin | agree |\n|---|--:|--:|--:|---|\n";
  for (const Agreement& one : results.agreements) {
    absl::StrAppendFormat(&table, "| %s | %.2f%% | %.2f%% | %.2f | %s |\n", one.way,
                          100 * one.expected, 100 * one.measured, 100 * one.margin,
                          one.agrees ? "yes" : "no");
  }
  return table;
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
      Table(results, "plan most used (cut/encoding/exit)", MostUsedPlan), RatioTable(results),
      AgreementTable(results));
}

}  // namespace cleave::experiments::elastic
