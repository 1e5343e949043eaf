#ifndef CLEAVE_EXPERIMENTS_REPORT_ASSETS_H_
#define CLEAVE_EXPERIMENTS_REPORT_ASSETS_H_

#include "absl/strings/string_view.h"

namespace cleave::experiments::report {

// These return the files of web/ and the chart library, which are put into the program when it is
// built. They live for ever.
absl::string_view ReportTemplate();
absl::string_view CommonScript();
absl::string_view ReportScript();
absl::string_view SacdScript();
absl::string_view ChartLibrary();

}  // namespace cleave::experiments::report

#endif  // CLEAVE_EXPERIMENTS_REPORT_ASSETS_H_
