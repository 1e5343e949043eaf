#include "experiments/sacd/results.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "app/reliability.h"
#include "core/text_table.h"
#include "core/units.h"
#include "experiments/sacd/json.h"
#include "policy/policy.h"

namespace cleave::experiments::sacd {
namespace {

std::string Share(const Interval& share) {
  return absl::StrFormat("%.2f%% (%.2f to %.2f)", 100 * share.mean, 100 * share.low,
                         100 * share.high);
}

std::string Number(const Interval& value, int digits) {
  return absl::StrFormat("%.*f (%.*f to %.*f)", digits, value.mean, digits, value.low, digits,
                         value.high);
}

std::string NinesText(const Interval& reliability) {
  const double low = app::Nines(reliability.low);
  return std::isinf(low) ? "-" : absl::StrFormat("%.1f", low);
}

std::string RowsTable(const std::vector<Row>& rows) {
  TextTable table({{"policy", TextTable::Align::kLeft},
                   {"n"},
                   {"reward"},
                   {"normalized"},
                   {"latency mean (ms)"},
                   {"p50"},
                   {"p95"},
                   {"p99"},
                   {"late"},
                   {"accuracy"},
                   {"right and in time"},
                   {"bytes up"},
                   {"guarded"},
                   {"reliability"},
                   {"nines, at least"}});
  const auto ms = [](double us) { return absl::StrFormat("%.1f", us / 1e3); };
  for (const Row& row : rows) {
    const Interval latency_ms = {row.latency_us.mean / 1e3, row.latency_us.low / 1e3,
                                 row.latency_us.high / 1e3};
    table.Add({row.policy, absl::StrCat(row.inferences), Number(row.reward, 4),
               Number(row.normalized, 3), Number(latency_ms, 1), ms(row.p50_us), ms(row.p95_us),
               ms(row.p99_us), Share(row.miss_share), Share(row.accuracy),
               Share(row.timely_accuracy), FormatBytes(row.bytes_up.mean),
               absl::StrFormat("%.1f%%", 100 * row.guarded_share), Share(row.reliability),
               NinesText(row.reliability)});
  }
  return table.Markdown();
}

// Is what was predicted what came? Of the exact search alone, which chooses by it.
std::string ChancesText(const std::vector<Row>& rows) {
  const Row* const row = Results::Find(rows, kExact);
  if (row == nullptr || row->chances.empty()) return "";
  TextTable table({{"exact search: predicted chance of a miss", TextTable::Align::kLeft},
                   {"inferences"},
                   {"predicted"},
                   {"missed (95% interval)"}});
  for (const ChanceBin& bin : row->chances) {
    table.Add({absl::StrFormat("%g%% to %g%%", 100 * bin.low, 100 * bin.high),
               absl::StrCat(bin.inferences), absl::StrFormat("%.2f%%", 100 * bin.predicted),
               absl::StrFormat("%.2f%% (%.2f to %.2f)", 100 * bin.missed.mean, 100 * bin.missed.low,
                               100 * bin.missed.high)});
  }
  return table.Markdown() + "\n";
}

std::string SimulatedText(const Simulated& part) {
  if (part.rows.empty()) return "";
  std::string text = absl::StrFormat(
      "## Simulated\n\n%s, %d courses, the same for every policy; best fixed plan: %s%s\n\n%s\n",
      part.environment, part.courses, part.best_fixed, part.complete ? "" : " (not complete)",
      RowsTable(part.rows));
  absl::StrAppend(&text, ChancesText(part.rows));
  for (const Row& row : part.rows) {
    if (row.rewards_by_file.size() < 2) continue;
    absl::StrAppend(&text, row.policy, ", reward of each file: ",
                    absl::StrJoin(row.rewards_by_file, ", ",
                                  [](std::string* out, double reward) {
                                    absl::StrAppendFormat(out, "%.4f", reward);
                                  }),
                    "\n\n");
  }
  return text;
}

std::string RealText(const Real& part) {
  if (part.rows.empty()) return "";
  std::string text = absl::StrFormat(
      "## Real\n\n%s, batch %d, deadline %.0f ms, traces %s; best fixed plan: %s%s\n\n%s\n",
      part.link, part.batch, part.deadline_us / 1e3, absl::StrJoin(part.traces, ", "),
      part.best_fixed, part.complete ? "" : " (not complete)", RowsTable(part.rows));
  absl::StrAppend(&text, ChancesText(part.rows));
  for (const std::string& note : part.notes) absl::StrAppend(&text, "- ", note, "\n");
  if (part.stolen_share) {
    absl::StrAppendFormat(&text,
                          "- a hypervisor took %.1f%% of the processor's time; cycles run again "
                          "since it took more than %.0f%% of theirs: %d\n",
                          100 * *part.stolen_share, 100 * kMostStolen, part.repeated_cycles);
  }
  const auto all = part.replay.find("");
  if (all != part.replay.end() && all->second.inferences > 0) {
    absl::StrAppendFormat(
        &text,
        "\n## Simulator against reality\n\nlatency of %d inferences: median error "
        "%.1f%%, 90%% within %.1f%%, median ratio %.3f\n\n",
        all->second.inferences, 100 * all->second.median_error, 100 * all->second.p90_error,
        all->second.bias);
  }
  return text;
}

std::string TwinText(const Simulated& twin) {
  if (twin.rows.empty()) return "";
  return absl::StrCat("## The same courses and deadline, simulated\n\n", RowsTable(twin.rows),
                      "\n");
}

std::string RankingText(const Ranking& ranking) {
  if (ranking.real.empty() || ranking.simulated.empty()) return "";
  return absl::StrFormat("ranking, simulated: %s\n\nranking, real: %s\n\nSpearman: %.3f\n\n",
                         absl::StrJoin(ranking.simulated, " > "),
                         absl::StrJoin(ranking.real, " > "), ranking.spearman);
}

}  // namespace

bool Step::guarded() const {
  return absl::StartsWith(reason, ReasonName(Reason::kUnfamiliar)) ||
         reason == ReasonName(Reason::kGuarded);
}

const Row* Results::Find(const std::vector<Row>& rows, absl::string_view policy) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.policy == policy; });
  return found == rows.end() ? nullptr : &*found;
}

std::string ToJson(const Results& results) {
  return nlohmann::json(results).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

absl::StatusOr<Results> FromJson(absl::string_view json, const std::string& origin) {
  const nlohmann::json parsed = nlohmann::json::parse(json.begin(), json.end(), nullptr, false);
  const Results expected;
  if (!parsed.is_object() || parsed.value("schema", nlohmann::json()) != expected.schema) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": schema: expected a JSON object whose schema is ", expected.schema));
  }
  try {
    return parsed.get<Results>();
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": ", error.what()));
  }
}

std::string ToText(const Results& results) {
  return absl::StrCat(SimulatedText(results.simulated), RealText(results.real),
                      TwinText(results.twin), RankingText(results.ranking));
}

}  // namespace cleave::experiments::sacd
