#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "app/svg_plot.h"
#include "core/statistics.h"
#include "core/text_table.h"
#include "experiments/compression/experiment.h"

namespace cleave::experiments::compression {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kColours = {"#1f5fa8", "#d1495b", "#5a9367", "#e0a030",
                                 "#7a5195", "#444444", "#2a9d8f", "#b5651d"};

double AgreementOf(const Way& way, std::int64_t samples) {
  if (way.accuracy.detection) return way.accuracy.detection->at_50_to_95;
  return static_cast<double>(way.accuracy.right) / static_cast<double>(samples);
}

ShareInterval IntervalOf(const Way& way, std::int64_t samples) {
  if (way.accuracy.detection) return way.accuracy.detection->interval;
  return WilsonInterval(way.accuracy.right, samples);
}

std::string CutText(std::optional<int> cut) { return cut ? absl::StrCat(*cut) : "-"; }

TextTable WaysTable(const Results& results) {
  TextTable table({{"way", TextTable::Align::kLeft},
                   {"cut"},
                   {"quality"},
                   {"bytes"},
                   {"distortion"},
                   {"agreement"},
                   {"95% interval"},
                   {"encode / network"}});
  for (const Way& way : results.ways) {
    const ShareInterval interval = IntervalOf(way, results.samples);
    table.Add({way.name, CutText(way.cut), way.quality,
               absl::StrFormat("%.0f", Mean(way.costs.bytes)),
               absl::StrFormat("%.4g", Mean(way.costs.distortion)),
               absl::StrFormat("%.1f%%", 100 * AgreementOf(way, results.samples)),
               absl::StrFormat("%.1f to %.1f", 100 * interval.low, 100 * interval.high),
               absl::StrFormat("%.1f%%", 100 * way.encode_us / results.network_us)});
  }
  return table;
}

TextTable SavingsTable(const Results& results) {
  TextTable table({{"way", TextTable::Align::kLeft},
                   {"cut"},
                   {"rival", TextTable::Align::kLeft},
                   {"bytes / rival's"},
                   {"95% interval"}});
  for (const Saving& saving : results.savings) {
    table.Add({saving.name, CutText(saving.cut), saving.rival,
               absl::StrFormat("%.3f", saving.ratio),
               absl::StrFormat("%.3f to %.3f", saving.interval.low, saving.interval.high)});
  }
  return table;
}

std::string AboutText(const Results& results) {
  const std::string reference =
      results.reference_digest.empty()
          ? ""
          : absl::StrCat(", against ", results.reference_digest.substr(0, 12));
  return absl::StrCat(
      results.model, ", sha256 ", results.digest.substr(0, 12), reference, "; codec ",
      results.codec_digest.empty() ? "none (cleave codec fit makes one)"
                                   : results.codec_digest.substr(0, 12),
      "; ", results.samples, " pictures, ", results.data_digest.substr(0, 12),
      "\nDistortion: ", results.distortion, "; agreement: ", results.agreement, "\n");
}

app::SvgPlot PlotOf(const Results& results, bool agreement) {
  app::SvgPlot plot;
  plot.title = agreement ? "Agreement against bytes" : "Distortion of the outputs against bytes";
  plot.x_label = "bytes (log)";
  plot.log_x = true;
  plot.y_label = agreement ? "agreement (%)" : "distortion (log)";
  plot.log_y = !agreement;
  for (const Way& way : results.ways) {
    const std::string name = way.cut ? absl::StrCat(way.name, " at cut ", *way.cut) : way.name;
    if (plot.left.empty() || plot.left.back().name != name) {
      plot.left.push_back({name, {}, kColours[plot.left.size() % kColours.size()], false});
    }
    const double bytes = Mean(way.costs.bytes);
    const double y =
        agreement ? 100 * AgreementOf(way, results.samples) : Mean(way.costs.distortion);
    if (bytes > 0 && y > 0) plot.left.back().points.push_back({bytes, y});
  }
  for (app::SvgSeries& series : plot.left) {
    std::sort(series.points.begin(), series.points.end(),
              [](const app::SvgPoint& a, const app::SvgPoint& b) { return a.x < b.x; });
  }
  return plot;
}

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

}  // namespace

std::string ToJson(const Results& results) {
  Json ways = Json::array();
  for (const Way& way : results.ways) {
    const ShareInterval interval = IntervalOf(way, results.samples);
    Json json = {{"name", way.name},
                 {"cut", way.cut ? Json(*way.cut) : Json(nullptr)},
                 {"quality", way.quality},
                 {"bytes", Mean(way.costs.bytes)},
                 {"distortion", Mean(way.costs.distortion)},
                 {"agreement", AgreementOf(way, results.samples)},
                 {"low", interval.low},
                 {"high", interval.high},
                 {"encode_us", way.encode_us},
                 {"bytes_of_each", way.costs.bytes},
                 {"distortion_of_each", way.costs.distortion}};
    if (way.accuracy.detection) json["agreement_at_50"] = way.accuracy.detection->at_50;
    ways.push_back(std::move(json));
  }
  Json savings = Json::array();
  for (const Saving& saving : results.savings) {
    savings.push_back({{"name", saving.name},
                       {"cut", saving.cut ? Json(*saving.cut) : Json(nullptr)},
                       {"rival", saving.rival},
                       {"ratio", saving.ratio},
                       {"low", saving.interval.low},
                       {"high", saving.interval.high}});
  }
  const Json json = {{"command", results.command},
                     {"model", results.model},
                     {"digest", results.digest},
                     {"reference_digest", results.reference_digest},
                     {"codec_digest", results.codec_digest},
                     {"data_digest", results.data_digest},
                     {"samples", results.samples},
                     {"distortion", results.distortion},
                     {"agreement", results.agreement},
                     {"network_us", results.network_us},
                     {"ways", std::move(ways)},
                     {"savings", std::move(savings)}};
  return json.dump(1) + "\n";
}

std::string ToText(const Results& results) {
  return absl::StrCat(AboutText(results), "\n", WaysTable(results).Markdown(),
                      "\nBytes for the same distortion, as a share of the rival's:\n\n",
                      SavingsTable(results).Markdown());
}

std::string ToHtml(const Results& results) {
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Compression</title>\n",
      "<style>body{font:16px sans-serif;margin:2em;max-width:70em}pre{overflow-x:auto}</style>\n",
      "<h1>Compression</h1>\n<p>", Escaped(results.command), "</p>\n<pre>",
      Escaped(AboutText(results)), "</pre>\n", app::RenderSvg(PlotOf(results, false)), "\n",
      app::RenderSvg(PlotOf(results, true)),
      "\n<h2>Bytes for the same distortion, as a share of the rival's</h2>\n<pre>",
      Escaped(SavingsTable(results).Text()), "</pre>\n<h2>Every way</h2>\n<pre>",
      Escaped(WaysTable(results).Text()), "</pre>\n</html>\n");
}

}  // namespace cleave::experiments::compression
