#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace cleave::cli {
namespace {

// `tool teach --steps 5 ...`, with options of every kind.
class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    app_.name("tool");
    command_ = app_.add_subcommand("teach", "");
    command_->add_option("model", model_, "")->required();
    command_->add_option("--env", environments_, "");
    command_->add_option("--steps", steps_, "")->capture_default_str();
    command_->add_option("--rate", rate_, "")->capture_default_str();
    command_->add_option("--note", note_, "");
    command_->add_option("--mean", mean_, "");
    command_->add_flag("--fast", fast_, "");
    command_->add_option("--threads", threads_, "")->capture_default_str();
    command_->add_option("-o,--out", out_, "")->capture_default_str();
  }

  std::string Of(const std::string& line) {
    app_.parse(line, /*program_name_included=*/false);
    return CommandLine(*command_, {"--threads"});
  }

  CLI::App app_;
  CLI::App* command_ = nullptr;
  std::string model_;
  std::vector<std::string> environments_;
  int steps_ = 100;
  double rate_ = 0.001;
  std::string note_;
  std::array<float, 3> mean_{};
  bool fast_ = false;
  int threads_ = 4;
  std::string out_ = "out.onnx";
};

TEST_F(CommandLineTest, NamesDefaultsToo) {
  EXPECT_EQ(Of("teach m.onnx"), "tool teach m.onnx --steps 100 --rate 0.001 --out out.onnx");
}

TEST_F(CommandLineTest, GivesValuesAsTheyWereGiven) {
  EXPECT_EQ(Of("teach m.onnx --env a --env b --steps 7 --rate 1e-4 --mean 1 2 3 --fast -o p "
               "--threads 9"),
            "tool teach m.onnx --env a --env b --steps 7 --rate 1e-4 --mean 1 2 3 --fast --out p");
}

TEST_F(CommandLineTest, QuotesForTheShell) {
  EXPECT_EQ(Of("teach \"a model.onnx\" --note \"$HOME\" --steps 1"),
            "tool teach 'a model.onnx' --steps 1 --rate 0.001 --note '$HOME' --out out.onnx");
}

TEST_F(CommandLineTest, DoesTheSameAgain) {
  const std::string first = Of("teach m.onnx --env a --env b --rate 3e-4 --fast");
  const std::string again = first.substr(std::string("tool ").size());
  EXPECT_EQ(Of(again), first);
}

}  // namespace
}  // namespace cleave::cli
