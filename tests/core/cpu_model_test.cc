#include "core/cpu_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleave {
namespace {

using ::testing::Optional;

TEST(CpuModelTest, IsTheModelNameOnX86) {
  EXPECT_THAT(CpuModelOf("processor\t: 0\n"
                         "model\t\t: 1\n"
                         "model name\t: Made-up CPU: 2 GHz \n"
                         "model name\t: Another\n"),
              Optional(std::string("Made-up CPU: 2 GHz")));
}

TEST(CpuModelTest, IsTheBoardOrElseThePartOnArm) {
  EXPECT_THAT(CpuModelOf("CPU part\t: 0xd08\n"
                         "CPU part\t: 0xd0b\n"
                         "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n"),
              Optional(std::string("Raspberry Pi 4 Model B Rev 1.4")));
  EXPECT_THAT(CpuModelOf("CPU part\t: 0xd08\nCPU part\t: 0xd0b\n"), Optional(std::string("0xd0b")));
}

TEST(CpuModelTest, IsNothingWhereThereIsNone) {
  EXPECT_EQ(CpuModelOf(""), std::nullopt);
  EXPECT_EQ(CpuModelOf("model name without a colon\nprocessor\t: 0"), std::nullopt);
}

TEST(CpuModelTest, IsThatOfThisMachine) {
  const std::optional<std::string> model = CpuModel();
  EXPECT_TRUE(!model || !model->empty());
}

}  // namespace
}  // namespace cleave
