#include "profile/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

ProfileKey SomeKey() {
  return {.model_digest = std::string(64, 'a'),
          .machine = "Some CPU x4",
          .threads = 2,
          .provider = "CPU",
          .onnxruntime = "1.30.0",
          .boundaries = {0, 3, 7}};
}

// The shapes of the inputs of a model with one input, of `batch` vectors of 8.
InputShapes At(std::int64_t batch) { return {{batch, 8}}; }

std::vector<InputShapes> ShapesIn(const Profile& profile) {
  std::vector<InputShapes> shapes;
  for (const Profile::Point& point : profile.Points()) shapes.push_back(point.shapes);
  return shapes;
}

Profile SomeProfile() {
  Profile profile(SomeKey());
  profile.Set(At(1), {{100, 0.01, 5}, {300, 0.02, 5}});
  profile.Set(At(4), {{250, 0.01, 5}, {1050, 0.02, 5}});
  return profile;
}

class TempFile {
 public:
  std::string path() const { return folder_.path() + "/profile.json"; }

 private:
  testing::TempDir folder_;
};

TEST(ProfileTest, InterpolatesBetweenBatchesAndScalesBeyondThem) {
  const Profile profile = SomeProfile();
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 1, At(1)), 100);
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 2, At(1)), 400);
  EXPECT_DOUBLE_EQ(profile.TimeUs(1, 2, At(4)), 1050);
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 1, At(2)), 150);
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 2, At(3)), 1000);
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 1, At(8)), 500);
  EXPECT_DOUBLE_EQ(profile.TimeUs(1, 1, At(4)), 0);
  Profile large(SomeKey());
  large.Set(At(4), {{200, 0, 1}, {400, 0, 1}});
  EXPECT_DOUBLE_EQ(large.TimeUs(0, 2, At(2)), 300);
}

TEST(ProfileTest, AShapeThatWasMeasuredCountsBeforeItsElements) {
  Profile profile(SomeKey());
  profile.Set({{1, 3, 32, 8}}, {{100, 0, 1}, {300, 0, 1}});
  profile.Set({{1, 3, 16, 16}}, {{140, 0, 1}, {340, 0, 1}});
  profile.Set({{1, 3, 32, 32}}, {{400, 0, 1}, {800, 0, 1}});
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 2, {{1, 3, 32, 8}}), 400);
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 2, {{1, 3, 16, 16}}), 480);
  // Work scales with the elements: 2.5 times as many as the smaller ones have.
  const double between = profile.TimeUs(0, 1, {{1, 3, 32, 20}});
  EXPECT_GT(between, 240);
  EXPECT_LT(between, 280);
  EXPECT_DOUBLE_EQ(profile.TimeUs(0, 2, {{2, 3, 32, 32}}), 2400);
}

TEST(ProfileTest, JsonRoundTrip) {
  const Profile profile = SomeProfile();
  const auto again = Profile::FromJson(profile.ToJson(), "text");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->key(), profile.key());
  EXPECT_EQ(ShapesIn(*again), ShapesIn(profile));
  EXPECT_EQ(again->ToJson(), profile.ToJson());
}

TEST(ProfileTest, AFileWithoutAnExitIsOfExit0) {
  Json json = Json::parse(SomeProfile().ToJson());
  EXPECT_EQ(json["exit"], 0);
  json.erase("exit");
  const auto old = Profile::FromJson(json.dump(), "text");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->key(), SomeKey());
}

TEST(ProfileTest, ExitsAreKeptApart) {
  ProfileKey key = SomeKey();
  key.exit = 2;
  Profile profile(key);
  profile.Set(At(1), {{100, 0.01, 5}, {300, 0.02, 5}});
  const auto again = Profile::FromJson(profile.ToJson(), "text");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->key().exit, 2);
  EXPECT_NE(ProfileCachePath(key), ProfileCachePath(SomeKey()));
  const TempFile file;
  ASSERT_TRUE(profile.Save(file.path()).ok());
  EXPECT_TRUE(Profile::Load(file.path(), key).ok());
  const absl::Status other = Profile::Load(file.path(), SomeKey()).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr("another exit: found 2, expected 0"));
}

struct Corruption {
  const char* name;
  std::function<void(Json&)> apply;
  const char* message;
};

TEST(ProfileTest, RefusesEveryCorruptedField) {
  const std::vector<Corruption> corruptions = {
      {"format", [](Json& j) { j["format"] = "cleave-profile-9"; }, "cleave-profile-9"},
      {"no format", [](Json& j) { j.erase("format"); }, "'format'"},
      {"digest", [](Json& j) { j["model_digest"] = 5; }, "'model_digest'"},
      {"machine", [](Json& j) { j.erase("machine"); }, "'machine'"},
      {"threads text", [](Json& j) { j["threads"] = "2"; }, "'threads'"},
      {"threads zero", [](Json& j) { j["threads"] = 0; }, "'threads'"},
      {"provider", [](Json& j) { j["provider"] = nullptr; }, "'provider'"},
      {"onnxruntime", [](Json& j) { j.erase("onnxruntime"); }, "'onnxruntime'"},
      {"one boundary", [](Json& j) { j["boundaries"] = {0}; }, "'boundaries'"},
      {"descending",
       [](Json& j) {
         j["boundaries"] = {0, 7, 3};
       },
       "'boundaries'"},
      {"twice",
       [](Json& j) {
         j["boundaries"] = {0, 3, 3};
       },
       "'boundaries'"},
      {"texts",
       [](Json& j) {
         j["boundaries"] = {"a", "b", "c"};
       },
       "'boundaries'"},
      {"exit text", [](Json& j) { j["exit"] = "1"; }, "'exit'"},
      {"negative exit", [](Json& j) { j["exit"] = -1; }, "'exit'"},
      {"huge exit", [](Json& j) { j["exit"] = std::int64_t{1} << 32; }, "'exit'"},
      {"no points", [](Json& j) { j.erase("points"); }, "'points'"},
      {"empty points", [](Json& j) { j["points"] = Json::array(); }, "'points'"},
      {"point no object", [](Json& j) { j["points"][0] = 3; }, "'inputs'"},
      {"no inputs", [](Json& j) { j["points"][0].erase("inputs"); }, "'inputs'"},
      {"empty inputs", [](Json& j) { j["points"][0]["inputs"] = Json::array(); }, "'inputs'"},
      {"negative size", [](Json& j) { j["points"][0]["inputs"][0]["shape"][0] = -1; }, "shape"},
      {"huge shape",
       [](Json& j) { j["points"][0]["inputs"][0]["shape"] = std::vector<int>(3, 1 << 30); },
       "'shape'"},
      {"shape text", [](Json& j) { j["points"][0]["inputs"][0]["shape"] = "1x8"; }, "'shape'"},
      {"few segments", [](Json& j) { j["points"][0]["segments"].erase(0); }, "2 segments"},
      {"no segments", [](Json& j) { j["points"][0].erase("segments"); }, "2 segments"},
      {"no median", [](Json& j) { j["points"][0]["segments"][0].erase("median_us"); },
       "'median_us'"},
      {"negative median", [](Json& j) { j["points"][0]["segments"][0]["median_us"] = -1; },
       "'median_us'"},
      {"huge median", [](Json& j) { j["points"][0]["segments"][0]["median_us"] = 1e300; },
       "'median_us'"},
      {"negative spread", [](Json& j) { j["points"][0]["segments"][0]["spread"] = -0.5; },
       "'spread'"},
      {"no runs", [](Json& j) { j["points"][0]["segments"][0]["runs"] = 0; }, "'runs'"},
  };
  for (const Corruption& corruption : corruptions) {
    SCOPED_TRACE(corruption.name);
    Json json = Json::parse(SomeProfile().ToJson());
    corruption.apply(json);
    const auto profile = Profile::FromJson(json.dump(), "some.json");
    ASSERT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(profile.status().message()), HasSubstr("some.json"));
    EXPECT_THAT(std::string(profile.status().message()), HasSubstr(corruption.message));
  }
}

TEST(ProfileTest, RefusesTextThatIsNoJsonObject) {
  const std::string whole = SomeProfile().ToJson();
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("no"), whole.substr(0, whole.size() / 2)}) {
    EXPECT_EQ(Profile::FromJson(text, "some.json").status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(ProfileTest, LoadNamesWhatDiffersWithFoundAndExpected) {
  const TempFile file;
  ASSERT_TRUE(SomeProfile().Save(file.path()).ok());
  EXPECT_TRUE(Profile::Load(file.path(), SomeKey()).ok());
  struct Other {
    const char* field;
    std::function<void(ProfileKey&)> change;
    const char* found;
    const char* expected;
  };
  const std::vector<Other> others = {
      {"model", [](ProfileKey& k) { k.model_digest = "bbbb"; }, "aaaa", "bbbb"},
      {"machine", [](ProfileKey& k) { k.machine = "Other x1"; }, "Some CPU x4", "Other x1"},
      {"threads", [](ProfileKey& k) { k.threads = 8; }, "found 2", "expected 8"},
      {"provider", [](ProfileKey& k) { k.provider = "CUDA"; }, "found CPU", "expected CUDA"},
      {"ONNX Runtime", [](ProfileKey& k) { k.onnxruntime = "1.2.3"; }, "1.30.0", "1.2.3"},
      {"cuts",
       [](ProfileKey& k) {
         k.boundaries = {0, 7};
       },
       "0,3,7", "expected 0,7"},
  };
  for (const Other& other : others) {
    SCOPED_TRACE(other.field);
    ProfileKey key = SomeKey();
    other.change(key);
    const auto loaded = Profile::Load(file.path(), key);
    ASSERT_EQ(loaded.status().code(), absl::StatusCode::kFailedPrecondition);
    for (const char* part : {other.field, other.found, other.expected}) {
      EXPECT_THAT(std::string(loaded.status().message()), HasSubstr(part));
    }
  }
}

TEST(ProfileTest, LoadOfNothingIsNotFound) {
  const TempFile file;
  EXPECT_EQ(Profile::Load(file.path(), SomeKey()).status().code(), absl::StatusCode::kNotFound);
}

TEST(ProfileTest, SaveMergedKeepsOtherBatchesOfTheSameKeyOnly) {
  const TempFile file;
  Profile first(SomeKey());
  first.Set(At(1), {{1, 0, 1}, {2, 0, 1}});
  first.Set(At(2), {{3, 0, 1}, {4, 0, 1}});
  ASSERT_TRUE(first.SaveMerged(file.path()).ok());
  Profile second(SomeKey());
  second.Set(At(2), {{30, 0, 1}, {40, 0, 1}});
  second.Set(At(8), {{5, 0, 1}, {6, 0, 1}});
  ASSERT_TRUE(second.SaveMerged(file.path()).ok());
  const auto merged = Profile::Load(file.path(), SomeKey());
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(ShapesIn(*merged), (std::vector<InputShapes>{At(1), At(2), At(8)}));
  EXPECT_DOUBLE_EQ(merged->TimeUs(0, 2, At(2)), 70);

  ProfileKey other = SomeKey();
  other.machine = "Another x1";
  Profile third(other);
  third.Set(At(1), {{9, 0, 1}, {9, 0, 1}});
  ASSERT_TRUE(third.SaveMerged(file.path()).ok());
  const auto replaced = Profile::Load(file.path(), other);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_EQ(ShapesIn(*replaced), std::vector<InputShapes>{At(1)});
}

TEST(ProfileTest, CachePathTellsKeysApart) {
  const std::string path = ProfileCachePath(SomeKey());
  EXPECT_EQ(path, ProfileCachePath(SomeKey()));
  ProfileKey other = SomeKey();
  other.threads = 3;
  EXPECT_NE(path, ProfileCachePath(other));
  other = SomeKey();
  other.boundaries = {0, 4, 7};
  EXPECT_NE(path, ProfileCachePath(other));
}

}  // namespace
}  // namespace cleave
