#include "app/filter_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/reliability.h"
#include "core/statistics.h"
#include "core/text_table.h"

namespace cleave::app {
namespace {

using Json = nlohmann::ordered_json;

std::string Percent(double share) { return absl::StrFormat("%.1f%%", 100 * share); }

double Share(std::int64_t part, std::int64_t of) {
  return of > 0 ? static_cast<double>(part) / static_cast<double>(of) : 0;
}

}  // namespace

std::string ShareText(std::int64_t part, std::int64_t of) {
  if (of == 0) return "none of 0";
  const Bounds bounds = ClopperPearson(part, of, kConfidence);
  return absl::StrFormat("%d of %d, %s (95%% interval %s to %s)", part, of,
                         Percent(Share(part, of)), Percent(bounds.low), Percent(bounds.high));
}

std::string FilterFitText(const FilterFitOutcome& outcome) {
  TextTable table({{"cut"},
                   {"work"},
                   {"looks at", TextTable::Align::kLeft},
                   {"empty held back"},
                   {"lost"},
                   {"work spared"},
                   {"", TextTable::Align::kLeft}});
  for (std::size_t i = 0; i < outcome.tried.size(); ++i) {
    const TriedFilter& tried = outcome.tried[i];
    const int side = tried.form.side;
    table.Add({absl::StrCat(tried.cut), Percent(tried.share_of_work),
               side > 1 ? absl::StrCat(side, "x", side, " cells") : "the whole",
               Percent(Share(tried.threshold.spared, tried.threshold.empty)),
               Percent(Share(tried.threshold.lost, tried.threshold.occupied)),
               Percent(tried.WorkSpared()), i == outcome.chosen ? "chosen" : ""});
  }
  const FilterThreshold& threshold = outcome.about.threshold;
  return absl::StrCat(
      outcome.about.fitted.samples, " pictures and crops; what is told of each comes from filters ",
      "that were fitted to none of its photograph\n\n", table.Text(), "\nheld back, of those with ",
      "a detection: ", ShareText(threshold.lost, threshold.occupied),
      "\nheld back, of those without:       ", ShareText(threshold.spared, threshold.empty), "\n");
}

std::string FilterFitJson(const FilterFitOutcome& outcome) {
  Json tried = Json::array();
  for (std::size_t i = 0; i < outcome.tried.size(); ++i) {
    const TriedFilter& each = outcome.tried[i];
    tried.push_back({{"cut", each.cut},
                     {"share_of_work", each.share_of_work},
                     {"side", each.form.side},
                     {"units", each.form.units},
                     {"logit", each.threshold.logit},
                     {"occupied", each.threshold.occupied},
                     {"lost", each.threshold.lost},
                     {"empty", each.threshold.empty},
                     {"spared", each.threshold.spared},
                     {"work_spared", each.WorkSpared()},
                     {"chosen", i == outcome.chosen}});
  }
  const Json json = {{"samples", outcome.about.fitted.samples},
                     {"model_digest", outcome.about.fitted.model_digest},
                     {"data_digest", outcome.about.fitted.data_digest},
                     {"score_threshold", outcome.about.score_threshold},
                     {"tried", std::move(tried)}};
  return json.dump();
}

}  // namespace cleave::app
