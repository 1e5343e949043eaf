#include "edge/push_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/sha256.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::PoolModel;
using testing::SlowModel;
using testing::TempDir;

class PushStoreTest : public ::testing::Test {
 protected:
  PushStoreTest() { options_.allow = true; }

  PushStore& Store() {
    options_.folder = folder_.path() + "/pushed";
    options_.max_bytes = 1 << 20;
    store_ = std::make_unique<PushStore>(options_, repository_);
    return *store_;
  }
  static PushOffer Offer(const std::string& name, const std::string& bytes) {
    return {.name = name,
            .digest = Sha256Hex(bytes),
            .size_bytes = static_cast<std::int64_t>(bytes.size())};
  }
  absl::Status Push(const std::string& name, const std::string& bytes) {
    const PushOffer offer = Offer(name, bytes);
    if (const absl::Status begun = store_->Begin(offer).status(); !begun.ok()) return begun;
    return store_->Finish(offer, bytes);
  }
  bool Kept(const std::string& name) const {
    return std::filesystem::exists(*options_.folder + "/" + name + ".onnx");
  }
  bool Served(const std::string& name) const { return repository_.Find(name).ok(); }

  const TempDir folder_;
  PushStore::Options options_;
  Repository repository_{Repository::Options()};
  std::unique_ptr<PushStore> store_;
};

TEST_F(PushStoreTest, WhatFailsItsTrialIsNeitherServedNorKept) {
  std::vector<std::string> tried;
  options_.try_model = [&](const std::string& path) {
    EXPECT_TRUE(std::filesystem::exists(path));
    tried.push_back(path);
    return absl::ResourceExhaustedError(path + ": took too long");
  };
  Store();
  const absl::Status refused = Push("bad", PoolModel());
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(), "push: bad: took too long") << "no path of the server";
  EXPECT_FALSE(Served("bad"));
  EXPECT_FALSE(Kept("bad"));
  ASSERT_EQ(tried.size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(tried.front()));
}

TEST_F(PushStoreTest, WhatCannotBeKeptIsNotServed) {
  Store();
  folder_.Write("pushed", "a file where the folder should be");
  EXPECT_FALSE(Push("homeless", PoolModel()).ok());
  EXPECT_FALSE(Served("homeless"));
}

TEST_F(PushStoreTest, AQuotaOfModelsIsFreedByTheIdlestOnly) {
  options_.max_models = 2;
  Store();
  ASSERT_TRUE(Push("a", PoolModel()).ok());
  ASSERT_TRUE(Push("b", PoolModel()).ok());
  const absl::Status refused = Push("c", PoolModel());
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("found 2 pushed models in use"));
  EXPECT_TRUE(Served("b"));
  EXPECT_TRUE(Kept("a"));
}

TEST_F(PushStoreTest, AnIdleModelMakesRoom) {
  options_.max_models = 2;
  options_.evict_idle_us = 0;
  Store();
  ASSERT_TRUE(Push("a", PoolModel()).ok());
  ASSERT_TRUE(Push("b", PoolModel()).ok());
  EXPECT_TRUE(Served("a")) << "so that b is the idlest";
  EXPECT_TRUE(Push("c", PoolModel()).ok());
  EXPECT_TRUE(Served("a"));
  EXPECT_FALSE(Served("b"));
  EXPECT_FALSE(Kept("b"));
  EXPECT_TRUE(Kept("c"));
}

TEST_F(PushStoreTest, AQuotaOfBytesCountsTheFilesThatAreKept) {
  const std::string model = PoolModel();
  options_.max_total_bytes = static_cast<std::int64_t>(2 * model.size());
  Store();
  ASSERT_TRUE(Push("a", model).ok());
  std::filesystem::copy_file(*options_.folder + "/a.onnx", *options_.folder + "/before.onnx");
  EXPECT_TRUE(Push("b", model).ok()) << "a file that no model is served of is removed";
  EXPECT_FALSE(Kept("before"));
  const absl::Status refused = Push("c", model);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("of other pushed models"));
  EXPECT_TRUE(Kept("a"));
  EXPECT_TRUE(Kept("b"));
}

TEST_F(PushStoreTest, AModelThatIsKeptIsTriedAgainBeforeItIsServed) {
  Store();
  ASSERT_TRUE(Push("a", PoolModel()).ok());
  repository_.Remove("a");
  options_.try_model = [](const std::string&) { return absl::InternalError("not this time"); };
  Store();
  EXPECT_FALSE(store_->Begin(Offer("a", PoolModel())).ok());
  EXPECT_FALSE(Served("a"));
  EXPECT_TRUE(Kept("a"));
}

}  // namespace
}  // namespace cleave
