#include "codec/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

std::string File(absl::string_view header, absl::string_view data = "") {
  const std::uint64_t length = header.size();
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&length), 8), header, data);
}

std::string Error(absl::string_view bytes) {
  const auto read = ReadSafetensors(bytes, "f");
  return read.ok() ? "" : std::string(read.status().message());
}

TEST(SafetensorsTest, ComesBackAsItWasWritten) {
  Safetensors contents;
  contents.metadata = {{"format", "x"}, {"quoted", "a\"b\n"}};
  contents.tensors.emplace("b", *Tensor::FromFloats({2, 2}, {1, -2, 0.5F, 4}));
  contents.tensors.emplace("a", *Tensor::FromBytes(DataType::kInt16, {3}, std::string(6, '\1')));
  contents.tensors.emplace("none", *Tensor::FromFloats({0, 4}, {}));
  const std::string bytes = WriteSafetensors(contents);
  EXPECT_EQ(WriteSafetensors(contents), bytes);
  const auto read = ReadSafetensors(bytes, "f");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->metadata, contents.metadata);
  ASSERT_EQ(read->tensors.size(), 3U);
  EXPECT_EQ(read->tensors.at("b").shape(), (Shape{2, 2}));
  EXPECT_EQ(read->tensors.at("b").bytes(), contents.tensors.at("b").bytes());
  EXPECT_EQ(read->tensors.at("a").dtype(), DataType::kInt16);
  EXPECT_EQ(read->tensors.at("none").elements(), 0);
}

TEST(SafetensorsTest, RefusesWhatIsNoSuchFile) {
  EXPECT_THAT(Error("1234567"), HasSubstr("f: found 7 bytes"));
  EXPECT_THAT(Error(std::string(8, '\xff')), HasSubstr("header length: found"));
  EXPECT_THAT(Error(File("{")), HasSubstr("f"));
  EXPECT_THAT(Error(File("[]")), HasSubstr("f"));
  EXPECT_EQ(Error(File("{}")), "");
  EXPECT_THAT(Error(File("{}", "x")), HasSubstr("found 1 bytes of tensors, expected 0"));
  const auto entry = [](absl::string_view dtype, absl::string_view shape,
                        absl::string_view offsets) {
    return absl::StrCat(R"({"t": {"dtype": ")", dtype, R"(", "shape": )", shape,
                        R"(, "data_offsets": )", offsets, "}}");
  };
  EXPECT_EQ(Error(File(entry("F32", "[1]", "[0, 4]"), std::string(4, '\0'))), "");
  EXPECT_THAT(Error(File(entry("F64", "[1]", "[0, 8]"), std::string(8, '\0'))),
              HasSubstr("dtype: found \"F64\""));
  EXPECT_THAT(Error(File(entry("F32", "[2]", "[0, 4]"), std::string(4, '\0'))),
              HasSubstr("found 4 bytes, expected 8 for the shape 2"));
  EXPECT_THAT(Error(File(entry("F32", "[-1]", "[0, 4]"), std::string(4, '\0'))),
              HasSubstr("data_offsets: found 4 bytes"));
  EXPECT_THAT(Error(File(entry("F32", "[1]", "[4, 8]"), std::string(8, '\0'))),
              HasSubstr("found 4 to 8, expected from 0 on"));
  EXPECT_THAT(Error(File(entry("F32", "[1000000000]", "[0, 2000000000]"))),
              HasSubstr("data_offsets"));
  EXPECT_THAT(Error(File(entry("F32", "[2147483647, 2147483647, 2147483647]", "[0, 4]"),
                         std::string(4, '\0'))),
              HasSubstr("data_offsets"));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Error(File(entry("F32", "[1]", "[0, 4]"),
                         absl::string_view(reinterpret_cast<const char*>(&nan), 4))),
              HasSubstr("t: element 0: found nan"));
  EXPECT_THAT(Error(File(R"({"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},
                             "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}})",
                         "abc")),
              HasSubstr("b: data_offsets: found 1 to 3, expected from 2 on"));
  EXPECT_THAT(Error(File(R"({"__metadata__": {"n": 3}})")), HasSubstr("n"));
}

}  // namespace
}  // namespace cleave
