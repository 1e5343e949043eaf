#include "codec/codec_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_replace.h"
#include "core/file.h"
#include "core/sha256.h"
#include "support/temp_dir.h"
#include "support/tensor_codecs.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::PlainCodec;

std::string Bytes(char digit = 'a') {
  CodecFile::About about;
  about.model_digest = std::string(64, digit);
  about.data_digest = std::string(64, 'b');
  about.samples = 96;
  return CodecFile::Write(about,
                          {{"conv", PlainCodec(6, 4, 0.05F)}, {"pool", PlainCodec(3, 1, 1)}});
}

std::string Error(absl::string_view bytes) {
  const auto file = CodecFile::Read(bytes, "f");
  return file.ok() ? "" : std::string(file.status().message());
}

TEST(CodecFileTest, ComesBackAsItWasWritten) {
  const std::string bytes = Bytes();
  EXPECT_EQ(Bytes(), bytes);
  const auto file = CodecFile::Read(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->digest(), Sha256Hex(bytes));
  EXPECT_EQ((*file)->about().samples, 96);
  EXPECT_EQ((*file)->about().data_digest, std::string(64, 'b'));
  EXPECT_EQ((*file)->Find("nothing"), nullptr);
  ASSERT_NE((*file)->Find("conv"), nullptr);
  const TensorCodec made = *TensorCodec::Create(PlainCodec(6, 4, 0.05F));
  std::vector<float> values(6 * 64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) - 8;
  const Tensor tensor = *Tensor::FromFloats({1, 6, 8, 8}, values);
  for (int rate = 0; rate < kCodecRates; ++rate) {
    EXPECT_EQ((*file)->Find("conv")->Encode(tensor, rate)->bytes, made.Encode(tensor, rate)->bytes);
  }
}

TEST(CodecFileTest, IsReadBesideItsModelAlone) {
  const testing::TempDir temp;
  const std::string model = temp.path() + "/net.onnx";
  EXPECT_EQ(CodecFile::PathFor(model), temp.path() + "/net.codec");
  EXPECT_EQ(CodecFile::OfModel(model, std::string(64, 'a')).status().code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(temp.path() + "/net.codec", Bytes()).ok());
  EXPECT_TRUE(CodecFile::OfModel(model, std::string(64, 'a')).ok());
  const absl::Status other = CodecFile::OfModel(model, std::string(64, 'c')).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr(std::string(64, 'a')));
  EXPECT_THAT(std::string(other.message()), HasSubstr("cleave codec fit"));
}

TEST(CodecFileTest, RefusesWhatIsNoCodecFile) {
  const std::string good = Bytes();
  const auto with = [&](absl::string_view from, absl::string_view to) {
    std::string text = absl::StrReplaceAll(good, {{from, to}});
    EXPECT_NE(text, good) << from;
    return text;
  };
  EXPECT_EQ(Error(good), "");
  EXPECT_THAT(Error(""), HasSubstr("f: found 0 bytes"));
  EXPECT_THAT(Error(good.substr(0, good.size() / 2)), HasSubstr("f"));
  EXPECT_THAT(Error(with("cleave-codec-1", "cleave-codec-9")), HasSubstr("'cleave-codec-9'"));
  EXPECT_THAT(Error(with(std::string(64, 'a'), std::string(64, 'A'))), HasSubstr("model_digest"));
  EXPECT_THAT(Error(with("\"data_digest\"", "\"data_digesT\"")), HasSubstr("no 'data_digest'"));
  EXPECT_THAT(Error(with("\"96\"", "\"-6\"")), HasSubstr("samples: found -6"));
  EXPECT_THAT(Error(with("\"0.mean\"", "\"9.mean\"")), HasSubstr("mean: found none"));
  EXPECT_THAT(Error(with("\"1.active\"", "\"1.actiVe\"")), HasSubstr("codecs[1]: active"));
  EXPECT_THAT(Error(with("\\\"channels\\\":6", "\\\"channels\\\":7")),
              HasSubstr("codecs[0]: mean: found FP32 6, expected FP32 7"));
  EXPECT_THAT(Error(with("\\\"channels\\\":6", "\\\"channels\\\":0")),
              HasSubstr("found 0 channels"));
  EXPECT_THAT(Error(with("\\\"block_side\\\":4", "\\\"block_side\\\":9")),
              HasSubstr("blocks of 9"));
  EXPECT_THAT(Error(with("\\\"tensor\\\":\\\"pool\\\"", "\\\"tensor\\\":\\\"conv\\\"")),
              HasSubstr("'conv' twice"));
}

// Whatever is changed in the file, it is refused or makes codecs that work.
TEST(CodecFileTest, TakesOrRefusesAnyChange) {
  const std::string good = Bytes();
  std::mt19937 random(7);
  const Tensor tensor = *Tensor::Zeros(DataType::kFloat32, {1, 6, 8, 8});
  for (int round = 0; round < 400; ++round) {
    std::string bytes = good;
    const std::size_t within = round % 2 == 0 ? 3000 : bytes.size();
    for (int i = 0; i < 3; ++i) bytes[random() % within] = static_cast<char>(random());
    const auto file = CodecFile::Read(bytes, "f");
    if (!file.ok()) continue;
    const TensorCodec* codec = (*file)->Find("conv");
    if (codec == nullptr || !codec->Takes(tensor.shape())) continue;
    const auto coded = codec->Encode(tensor, round % kCodecRates);
    if (!coded.ok()) continue;
    EXPECT_TRUE(codec->Decode(coded->bytes, tensor.shape(), round % kCodecRates).ok());
  }
}

}  // namespace
}  // namespace cleave
