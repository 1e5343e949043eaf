#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "codec/image.h"
#include "core/file.h"

namespace cleave {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const std::string& json) {
  const absl::Status status = Preprocessing::FromJson(json, "m.json", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << json << ": " << status;
  return std::string(status.message());
}

TEST(SidecarTest, EveryFieldReplacesADefault) {
  const Preprocessing how =
      Preprocessing::FromJson(R"({"preprocessing": {"resize": 320, "height": 300, "width": 280,
          "layout": "NHWC", "mean": [0, 0.5, 1], "std": [1, 2, 3]}, "name": "other fields are not ours"})",
                              "m.json", {})
          .value();
  EXPECT_EQ(how.resize, 320);
  EXPECT_EQ(how.height, 300);
  EXPECT_EQ(how.width, 280);
  EXPECT_FALSE(how.channels_first);
  EXPECT_THAT(how.mean, testing::ElementsAre(0, 0.5F, 1));
  EXPECT_THAT(how.deviation, testing::ElementsAre(1, 2, 3));
}

TEST(SidecarTest, WhatIsMissingKeepsItsDefault) {
  Preprocessing defaults;
  defaults.height = defaults.width = 100;
  const Preprocessing how =
      Preprocessing::FromJson(R"({"preprocessing": {"width": 90}})", "m.json", defaults).value();
  EXPECT_EQ(how.height, 100);
  EXPECT_EQ(how.width, 90);
  EXPECT_EQ(how.mean, Preprocessing().mean);
}

TEST(SidecarTest, NoPreprocessingIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Preprocessing::FromJson("{}", "m.json", {}).status()));
}

TEST(SidecarTest, RefusesWrongTypesAndRangesByName) {
  EXPECT_THAT(ErrorOf("{"), HasSubstr("m.json: found no JSON object"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("found no JSON object"));
  EXPECT_THAT(ErrorOf(R"({"preprocessing": 3})"), HasSubstr("preprocessing: found number"));
  const auto field_error = [](const std::string& fields) {
    return ErrorOf("{\"preprocessing\": {" + fields + "}}");
  };
  EXPECT_THAT(field_error(R"("hight": 224)"), HasSubstr("preprocessing.hight: found 224"));
  EXPECT_THAT(field_error(R"("height": "224")"), HasSubstr("preprocessing.height: found \"224\""));
  EXPECT_THAT(field_error(R"("height": 224.5)"), HasSubstr("a whole number"));
  EXPECT_THAT(field_error(R"("height": -1)"), HasSubstr("preprocessing.height: found -1"));
  EXPECT_THAT(field_error(R"("height": 0)"), HasSubstr("height: found 0"));
  EXPECT_THAT(field_error(R"("height": 18446744073709551615)"), HasSubstr("a whole number"));
  EXPECT_THAT(field_error(R"("resize": 10)"), HasSubstr("resize: found 10, expected 224"));
  EXPECT_THAT(field_error(R"("layout": "CHW")"), HasSubstr("\"NCHW\" or \"NHWC\""));
  EXPECT_THAT(field_error(R"("layout": null)"), HasSubstr("layout: found null"));
  EXPECT_THAT(field_error(R"("mean": [1, 2])"), HasSubstr("3 numbers"));
  EXPECT_THAT(field_error(R"("mean": [1, 2, "x"])"), HasSubstr("3 numbers"));
  EXPECT_THAT(field_error(R"("std": [1, 0, 1])"), HasSubstr("std"));
  EXPECT_THAT(field_error(R"("std": [1, 1e99, 1])"), HasSubstr("std"));
  EXPECT_THAT(field_error("\"layout\": \"\xFF\xFE\""), HasSubstr("m.json"));
}

TEST(SidecarTest, WhatIsWrittenIsReadBack) {
  Preprocessing how;
  how.resize = 40;
  how.height = 32;
  how.width = 36;
  how.channels_first = false;
  how.mean = {0.49139968F, 0, -1.5F};
  how.deviation = {0.247F, 16777217.0F, 0.0012345679F};
  const auto read = Preprocessing::FromJson(how.ToJson(), "m.json", {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->resize, how.resize);
  EXPECT_EQ(read->height, how.height);
  EXPECT_EQ(read->width, how.width);
  EXPECT_EQ(read->channels_first, how.channels_first);
  EXPECT_EQ(read->mean, how.mean);
  EXPECT_EQ(read->deviation, how.deviation);
  how.mean = {-0.0F, 1e-40F, -3e38F};
  const auto again = Preprocessing::FromJson(how.ToJson(), "m.json", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->mean, how.mean);
  EXPECT_EQ(again->ToJson(), how.ToJson());
}

TEST(SidecarTest, SaysHowPicturesFit) {
  const Preprocessing how =
      Preprocessing::FromJson(
          R"({"preprocessing": {"fit": "letterbox", "pad": 0, "channel_order": "BGR",
          "scale": 255, "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395],
          "datatype": "FP16", "revision": 2}})",
          "m.json", {})
          .value();
  EXPECT_EQ(how.fit, Preprocessing::Fit::kLetterbox);
  EXPECT_EQ(how.pad, 0);
  EXPECT_EQ(how.channel_order, Preprocessing::ChannelOrder::kBgr);
  EXPECT_EQ(how.scale, 255);
  EXPECT_EQ(how.datatype, DataType::kFloat16);
  const Preprocessing again = Preprocessing::FromJson(how.ToJson(), "m.json", {}).value();
  EXPECT_EQ(again.fit, how.fit);
  EXPECT_EQ(again.pad, how.pad);
  EXPECT_EQ(again.channel_order, how.channel_order);
  EXPECT_EQ(again.scale, how.scale);
  EXPECT_EQ(again.datatype, how.datatype);
  EXPECT_EQ(again.ToJson(), how.ToJson());
  EXPECT_EQ(Preprocessing().fit, Preprocessing::Fit::kCrop);
  EXPECT_EQ(Preprocessing::FromJson(R"({"preprocessing": {"fit": "stretch"}})", "m.json", how)->fit,
            Preprocessing::Fit::kStretch);
}

TEST(SidecarTest, Uint8KeepsTheValues) {
  const Preprocessing how =
      Preprocessing::FromJson(R"({"preprocessing": {"datatype": "UINT8"}})", "m.json", {}).value();
  EXPECT_EQ(how.datatype, DataType::kUint8);
  EXPECT_EQ(how.scale, 255);
  EXPECT_THAT(how.mean, testing::Each(0));
  EXPECT_THAT(how.deviation, testing::Each(1));
}

TEST(SidecarTest, RefusesWhatNoPictureCanBe) {
  const auto field_error = [](const std::string& fields) {
    return ErrorOf("{\"preprocessing\": {" + fields + "}}");
  };
  EXPECT_THAT(field_error(R"("fit": "pad")"),
              HasSubstr(R"(fit: found "pad", expected "crop", "stretch" or "letterbox")"));
  EXPECT_THAT(field_error(R"("fit": 1)"), HasSubstr("fit: found 1"));
  EXPECT_THAT(field_error(R"("pad": 256)"), HasSubstr("pad: found 256"));
  EXPECT_THAT(field_error(R"("pad": 0.5)"), HasSubstr("pad: found 0.5"));
  EXPECT_THAT(field_error(R"("channel_order": "GBR")"),
              HasSubstr(R"(channel_order: found "GBR", expected "RGB" or "BGR")"));
  EXPECT_THAT(field_error(R"("scale": 0)"), HasSubstr("scale: found 0"));
  EXPECT_THAT(field_error(R"("scale": 1e39)"), HasSubstr("scale: found inf"));
  EXPECT_THAT(field_error(R"("scale": "255")"), HasSubstr("scale: found \"255\""));
  EXPECT_THAT(field_error(R"("datatype": "FP64")"), HasSubstr("datatype: found \"FP64\""));
  EXPECT_THAT(field_error(R"("datatype": "UINT8", "scale": 1)"), HasSubstr("scale: found 1"));
  EXPECT_THAT(field_error(R"("fit": "stretch", "resize": 256)"), HasSubstr("resize: found 256"));
  EXPECT_THAT(field_error(R"("revision": 1)"), HasSubstr("revision: found 1, expected 2"));
  EXPECT_THAT(field_error(R"("revision": 3)"), HasSubstr("revision: found 3, expected 2"));
}

TEST(SidecarTest, IsFoundBesideTheModel) {
  const std::filesystem::path dir =
      std::filesystem::path(testing::TempDir()) / "cleave_sidecar_test";
  std::filesystem::remove_all(dir);
  const std::string model = (dir / "net.onnx").string();
  EXPECT_TRUE(absl::IsNotFound(Preprocessing::FromSidecar(model, {}).status()));
  ASSERT_TRUE(WriteFileAtomically((dir / "net.json").string(),
                                  R"({"preprocessing": {"height": 64, "width": 64}})")
                  .ok());
  EXPECT_EQ(Preprocessing::FromSidecar(model, {}).value().height, 64);
  ASSERT_TRUE(
      WriteFileAtomically(model + ".json", R"({"preprocessing": {"height": 32, "width": 32}})")
          .ok());
  EXPECT_EQ(Preprocessing::FromSidecar(model, {}).value().height, 32);
  ASSERT_TRUE(WriteFileAtomically(model + ".json", "nonsense").ok());
  EXPECT_THAT(std::string(Preprocessing::FromSidecar(model, {}).status().message()),
              HasSubstr("net.onnx.json"));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace cleave
