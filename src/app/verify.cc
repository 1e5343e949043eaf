#include "app/verify.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "runtime/chain.h"

namespace cleave::app {
namespace {

double HalfToDouble(std::uint16_t bits) {
  const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 0x1F;
  const int mantissa = bits & 0x3FF;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  if (exponent < 31) return sign * std::ldexp(mantissa + 1024, exponent - 25);
  return mantissa == 0 ? sign * std::numeric_limits<double>::infinity()
                       : std::numeric_limits<double>::quiet_NaN();
}

template <typename T>
T Load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

double ElementAt(const Tensor& tensor, std::int64_t index) {
  const std::byte* at =
      tensor.data() + static_cast<std::size_t>(index) * ElementSize(tensor.dtype());
  switch (tensor.dtype()) {
    case DataType::kFloat32:
      return Load<float>(at);
    case DataType::kFloat64:
      return Load<double>(at);
    case DataType::kFloat16:
      return HalfToDouble(Load<std::uint16_t>(at));
    case DataType::kBFloat16:
      return std::bit_cast<float>(std::uint32_t{Load<std::uint16_t>(at)} << 16);
    case DataType::kInt8:
      return Load<std::int8_t>(at);
    case DataType::kInt16:
      return Load<std::int16_t>(at);
    case DataType::kInt32:
      return Load<std::int32_t>(at);
    case DataType::kInt64:
      return static_cast<double>(Load<std::int64_t>(at));
    case DataType::kUint8:
    case DataType::kBool:
      return Load<std::uint8_t>(at);
    case DataType::kUint16:
      return Load<std::uint16_t>(at);
    case DataType::kUint32:
      return Load<std::uint32_t>(at);
    case DataType::kUint64:
      return static_cast<double>(Load<std::uint64_t>(at));
    case DataType::kString:
      break;
  }
  return 0;
}

double Distance(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double distance = std::abs(a - b);
  return std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance;
}

// What a wire does to a tensor.
absl::StatusOr<std::vector<NamedTensor>> Copied(const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> copies;
  for (const NamedTensor& named : tensors) {
    CLEAVE_ASSIGN_OR_RETURN(Tensor copy,
                            Tensor::FromBytes(named.tensor.dtype(), named.tensor.shape(),
                                              std::string(named.tensor.bytes())));
    copies.push_back({named.name, std::move(copy)});
  }
  return copies;
}

struct SplitRun {
  std::vector<NamedTensor> outputs;
  std::int64_t run_us = 0;
};

absl::StatusOr<SplitRun> RunSplit(const Chain& chain, int boundary,
                                  const std::vector<NamedTensor>& inputs) {
  CLEAVE_ASSIGN_OR_RETURN(const ChainResult head, chain.Run(0, boundary, inputs));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> sent, Copied(head.tensors));
  CLEAVE_ASSIGN_OR_RETURN(ChainResult tail, chain.Run(boundary, chain.segments(), sent));
  SplitRun run{std::move(tail.tensors), head.run_us + tail.run_us};
  run.outputs.insert(run.outputs.end(), head.early_outputs.begin(), head.early_outputs.end());
  return run;
}

// Half precision has 10 bits where single has 23, and rounds at other places when fusions change.
constexpr double kHalfAllowance = 100;
// Outputs that are all nearly 0, as the sigmoids of a detector that sees nothing, are told by their
// absolute error: one of less than this share of the tolerance does not count.
constexpr double kLeastScale = 0.1;

double RelativeError(const Difference& difference, double allowance) {
  if (difference.max_abs_error == 0) return 0;
  return difference.max_abs_error / std::max(difference.scale, kLeastScale) / allowance;
}

bool SameBytes(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const NamedTensor& one, const NamedTensor& other) {
                      return one.tensor.bytes() == other.tensor.bytes();
                    });
}

absl::Status CompareOutputs(const std::vector<NamedTensor>& whole,
                            const std::vector<NamedTensor>& split, double allowance,
                            CutVerdict& verdict) {
  for (const NamedTensor& expected : whole) {
    const auto found = std::find_if(split.begin(), split.end(), [&](const NamedTensor& tensor) {
      return tensor.name == expected.name;
    });
    if (found == split.end()) {
      return absl::InternalError(
          absl::StrCat("cut ", verdict.index, ": output '", expected.name, "' did not come out"));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Difference difference, Compare(expected.tensor, found->tensor));
    verdict.max_abs_error = std::max(verdict.max_abs_error, difference.max_abs_error);
    verdict.relative_error = std::max(verdict.relative_error, RelativeError(difference, allowance));
    verdict.bit_exact = verdict.bit_exact && difference.bit_exact;
  }
  return absl::OkStatus();
}

absl::StatusOr<CutVerdict> VerifyCut(const Chain& chain, const WholeModel& whole, int boundary,
                                     const std::vector<NamedTensor>& inputs,
                                     const std::vector<NamedTensor>& expected, int pairs) {
  CutVerdict verdict{.index = chain.boundaries()[boundary]};
  CLEAVE_ASSIGN_OR_RETURN(const SplitRun first, RunSplit(chain, boundary, inputs));
  const double allowance = chain.graph().uses_half() ? kHalfAllowance : 1;
  CLEAVE_RETURN_IF_ERROR(CompareOutputs(expected, first.outputs, allowance, verdict));
  const Clock& clock = Clock::Steady();
  std::vector<double> ratios;
  for (int i = 0; i < pairs; ++i) {
    const std::int64_t start_us = clock.NowUs();
    CLEAVE_RETURN_IF_ERROR(whole.Run(inputs).status());
    const std::int64_t whole_us = std::max<std::int64_t>(1, clock.NowUs() - start_us);
    CLEAVE_ASSIGN_OR_RETURN(const SplitRun split, RunSplit(chain, boundary, inputs));
    ratios.push_back(static_cast<double>(split.run_us) / static_cast<double>(whole_us));
  }
  verdict.time_ratio = Median(std::move(ratios));
  return verdict;
}

}  // namespace

absl::StatusOr<Difference> Compare(const Tensor& reference, const Tensor& found) {
  if (reference.dtype() != found.dtype() || reference.shape() != found.shape()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "compare: found ", DataTypeName(found.dtype()), " ", ShapeString(found.shape()),
        ", expected ", DataTypeName(reference.dtype()), " ", ShapeString(reference.shape())));
  }
  Difference difference;
  difference.bit_exact = reference.bytes() == found.bytes();
  if (reference.dtype() == DataType::kString) {
    // Two texts are the same or they are not.
    if (!difference.bit_exact) difference.max_abs_error = std::numeric_limits<double>::infinity();
    return difference;
  }
  for (std::int64_t i = 0; i < reference.elements(); ++i) {
    const double expected = ElementAt(reference, i);
    if (std::isfinite(expected)) {
      difference.scale = std::max(difference.scale, std::abs(expected));
    }
    difference.max_abs_error =
        std::max(difference.max_abs_error, Distance(expected, ElementAt(found, i)));
  }
  return difference;
}

absl::StatusOr<VerifyReport> Verify(const std::shared_ptr<const Graph>& graph,
                                    const VerifyOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*graph, options.inputs));
  CutList cuts{.order = table.order, .cuts = {}};
  for (const CutInfo& info : table.cuts) cuts.cuts.push_back(info.cut);
  CLEAVE_ASSIGN_OR_RETURN(const auto chain,
                          Chain::Create(graph, cuts, SelectCandidates(table, options.cuts),
                                        options.runtime, {}, nullptr, TensorsOf(table)));
  CLEAVE_ASSIGN_OR_RETURN(const auto whole, WholeModel::Create(*graph, options.runtime));
  CLEAVE_ASSIGN_OR_RETURN(const auto inputs,
                          RandomInputs(table.inputs.specs, options.seed, graph->value_hints()));
  CLEAVE_ASSIGN_OR_RETURN(const auto expected, whole->Run(inputs));
  CLEAVE_ASSIGN_OR_RETURN(const auto again, whole->Run(inputs));

  VerifyReport report{
      .model = graph->origin(), .inputs = table.inputs, .tolerance = options.tolerance};
  report.random = !SameBytes(expected, again);
  std::vector<double> ratios;
  const int boundaries = static_cast<int>(chain->boundaries().size());
  for (int i = 0; i < boundaries; ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const CutVerdict verdict,
                            VerifyCut(*chain, *whole, i, inputs, expected, options.pairs));
    report.cuts.push_back(verdict);
    report.worst_abs_error = std::max(report.worst_abs_error, verdict.max_abs_error);
    report.worst_relative_error = std::max(report.worst_relative_error, verdict.relative_error);
    ratios.push_back(verdict.time_ratio);
    if (options.on_progress) options.on_progress((i + 1.0) / boundaries);
  }
  report.time_ratio_median = Median(std::move(ratios));
  return report;
}

std::string VerifyReport::ToJson() const {
  nlohmann::ordered_json json;
  json["model"] = model;
  json["random"] = random;
  json["cuts"] = nlohmann::json::array();
  for (const CutVerdict& cut : cuts) {
    json["cuts"].push_back(nlohmann::ordered_json{{"index", cut.index},
                                                  {"max_abs_error", cut.max_abs_error},
                                                  {"relative_error", cut.relative_error},
                                                  {"bit_exact", cut.bit_exact}});
  }
  json["worst_abs_error"] = worst_abs_error;
  json["worst_relative_error"] = worst_relative_error;
  json["time_ratio_median"] = time_ratio_median;
  return json.dump();
}

std::string VerifyReport::ToText() const {
  std::string text =
      random ? "The model draws random numbers: its outputs differ from run to run, and so they do "
               "here.\n"
             : "";
  absl::StrAppendFormat(&text, "%5s  %14s  %15s  %s\n", "cut", "largest error", "of the output",
                        "head + tail / whole");
  for (const CutVerdict& cut : cuts) {
    const std::string error =
        cut.bit_exact ? "bit-exact" : absl::StrFormat("%.3g", cut.max_abs_error);
    absl::StrAppend(&text, absl::StrFormat("%5d  %14s  %15.2g  %.3f\n", cut.index, error,
                                           cut.relative_error, cut.time_ratio));
  }
  absl::StrAppend(
      &text, absl::StrFormat("%d cuts: largest error %.3g (%.2g of the largest output; %.2g is "
                             "allowed), median time ratio %.3f\n",
                             cuts.size(), worst_abs_error, worst_relative_error, tolerance,
                             time_ratio_median));
  return text;
}

}  // namespace cleave::app
