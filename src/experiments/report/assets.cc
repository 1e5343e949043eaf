#include "experiments/report/assets.h"

#include <cstddef>

// .incbin rather than an array in a source file: a megabyte of numbers takes compilers a long time,
// and every assembler for ELF has it, that of a cross compiler too.
#define CLEAVE_ASSET(name, path)                 \
  __asm__(                                       \
      ".pushsection .rodata\n"                   \
      ".balign 16\n"                             \
      "cleave_asset_" #name                      \
      ":\n"                                      \
      ".incbin \"" path                          \
      "\"\n"                                     \
      "cleave_asset_" #name                      \
      "_end:\n"                                  \
      ".byte 0\n"                                \
      ".globl cleave_asset_" #name               \
      "\n"                                       \
      ".hidden cleave_asset_" #name              \
      "\n"                                       \
      ".globl cleave_asset_" #name               \
      "_end\n"                                   \
      ".hidden cleave_asset_" #name              \
      "_end\n"                                   \
      ".popsection\n");                          \
  extern "C" {                                   \
  extern const char cleave_asset_##name[];       \
  extern const char cleave_asset_##name##_end[]; \
  }

CLEAVE_ASSET(report_template, CLEAVE_REPORT_TEMPLATE)
CLEAVE_ASSET(common_script, CLEAVE_COMMON_SCRIPT)
CLEAVE_ASSET(report_script, CLEAVE_REPORT_SCRIPT)
CLEAVE_ASSET(sacd_script, CLEAVE_SACD_SCRIPT)
CLEAVE_ASSET(chart_library, CLEAVE_CHART_LIBRARY)

namespace cleave::experiments::report {
namespace {

absl::string_view View(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

absl::string_view ReportTemplate() {
  return View(cleave_asset_report_template, cleave_asset_report_template_end);
}
absl::string_view CommonScript() {
  return View(cleave_asset_common_script, cleave_asset_common_script_end);
}
absl::string_view SacdScript() {
  return View(cleave_asset_sacd_script, cleave_asset_sacd_script_end);
}
absl::string_view ReportScript() {
  return View(cleave_asset_report_script, cleave_asset_report_script_end);
}
absl::string_view ChartLibrary() {
  return View(cleave_asset_chart_library, cleave_asset_chart_library_end);
}

}  // namespace cleave::experiments::report
