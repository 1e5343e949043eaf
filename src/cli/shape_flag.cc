#include "cli/shape_flag.h"

#include <iostream>

#include "core/printable.h"
#include "core/status_macros.h"

namespace cleave::cli {

void ShapeFlag::AddTo(CLI::App& command) {
  command
      .add_option("--shape", texts,
                  "Shape of an input whose dimensions are free, once for each input; -1 leaves a "
                  "dimension to a guess (default: the sidecar's picture size, or a guess)")
      ->type_name("NAME=1,3,320,320")
      ->take_all();
}

absl::StatusOr<ShapeRequest> ShapeFlag::Parse() const {
  ShapeRequest request;
  for (const std::string& text : texts) CLEAVE_RETURN_IF_ERROR(ParseShapeFlag(text, request));
  return request;
}

void SayGuesses(const ResolvedInputs& inputs) {
  for (const std::string& guess : inputs.guesses) std::cerr << "note: " << Printable(guess) << "\n";
}

}  // namespace cleave::cli
