# The experiment and its report; the charts of the report are inside the library.
set(web ${PROJECT_SOURCE_DIR}/web)
set(chart_library ${PROJECT_SOURCE_DIR}/.deps/web/dist/echarts.min.js)
if(NOT EXISTS ${chart_library})
  message(FATAL_ERROR "the chart library ${chart_library} is missing: run tools/fetch_web")
endif()
file(GLOB experiment_sources CONFIGURE_DEPENDS experiment_*.cc goals.cc report*.cc)
target_sources(cleave_lab PRIVATE ${experiment_sources})
set_source_files_properties(report_assets.cc PROPERTIES
  OBJECT_DEPENDS "${web}/report.html;${web}/common.js;${web}/report.js;${web}/sacd.js;${chart_library}"
  COMPILE_DEFINITIONS "CLEAVE_REPORT_TEMPLATE=\"${web}/report.html\";CLEAVE_COMMON_SCRIPT=\"${web}/common.js\";CLEAVE_REPORT_SCRIPT=\"${web}/report.js\";CLEAVE_SACD_SCRIPT=\"${web}/sacd.js\";CLEAVE_CHART_LIBRARY=\"${chart_library}\"")
target_compile_definitions(cleave_lab PRIVATE CLEAVE_VERSION="${PROJECT_VERSION}")
