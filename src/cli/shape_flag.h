#ifndef CLEAVE_CLI_SHAPE_FLAG_H_
#define CLEAVE_CLI_SHAPE_FLAG_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/input_shapes.h"

namespace cleave::cli {

// The flag --shape NAME=1,3,320,320, which may be given once for each input of the model.
struct ShapeFlag {
  std::vector<std::string> texts;

  void AddTo(CLI::App& command);
  // Returns the shapes that were given. Errors name the flag's text.
  absl::StatusOr<ShapeRequest> Parse() const;
};

// Says on stderr what was taken for dimensions that neither the model nor a flag tells.
void SayGuesses(const ResolvedInputs& inputs);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_SHAPE_FLAG_H_
