#include "experiments/rig/grid.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::experiments::rig {

absl::Status GridOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRates(rates_bps));
  if (device_shares.empty()) return FieldError("device_shares", "none", "at least one");
  for (const double share : device_shares) {
    ModelOptions one = *this;
    one.device_share = share;
    CLEAVE_RETURN_IF_ERROR(one.Validate());
  }
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("settle_us", settle_us, 0));
  return CheckShare("min_accuracy", min_accuracy);
}

std::vector<PictureWay> CoarsestPictures(const AccuracyTable& calibration, int exit,
                                         double min_accuracy) {
  const auto reaches_bar = [&](Encoding encoding) {
    const AccuracyRow* row = calibration.Find({exit, 0, encoding});
    return row != nullptr && calibration.AccuracyOf(*row) >= min_accuracy;
  };
  std::vector<PictureWay> ways;
  const auto add = [&](absl::string_view name, const std::vector<Encoding>& coarsest_first) {
    const auto found = std::find_if(coarsest_first.begin(), coarsest_first.end(), reaches_bar);
    if (found == coarsest_first.end()) return;
    ways.push_back({absl::StrCat(name, " (", EncodingName(*found), ")"),
                    absl::StrCat("fixed:0/", EncodingName(*found))});
  };
  add("JPEG", {Encoding::kJpeg50, Encoding::kJpeg75, Encoding::kJpeg90});
  add("WebP", {Encoding::kWebp25, Encoding::kWebp50, Encoding::kWebp75, Encoding::kWebp90});
  return ways;
}

}  // namespace cleave::experiments::rig
