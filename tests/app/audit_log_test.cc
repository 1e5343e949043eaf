#include "app/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/temp_dir.h"

namespace cleave::app {
namespace {

using nlohmann::json;
using testing::TempDir;

std::vector<json> LinesOf(const std::string& path) {
  std::vector<json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  return lines;
}

EdgeEvent Pushed(const std::string& by) {
  EdgeEvent event;
  event.kind = EdgeEventKind::kPush;
  event.model = "net";
  event.peer = "192.0.2.1";
  event.identity = by;
  return event;
}

EdgeCall Refused() {
  EdgeCall call;
  call.method = "Push";
  call.peer = "192.0.2.2";
  call.code = absl::StatusCode::kUnauthenticated;
  call.refusal = Refusal::kUnauthenticated;
  call.error = "a \"text\"\nof a peer";
  return call;
}

TEST(AuditLog, SaysWhoDidWhatAndWhoWasRefused) {
  const TempDir folder;
  const std::string path = folder.path() + "/audit";
  const auto log = AuditLog::Open({.path = path}).value();
  log->Add(Pushed("installer"));
  log->Add(Refused());
  EdgeEvent infer;
  infer.kind = EdgeEventKind::kInfer;
  log->Add(infer);
  EdgeCall answered;
  answered.method = "ModelInfer";
  log->Add(answered);
  const std::vector<json> lines = LinesOf(path);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["action"], "push");
  EXPECT_EQ(lines[0]["identity"], "installer");
  EXPECT_EQ(lines[0]["peer"], "192.0.2.1");
  EXPECT_EQ(lines[0]["model"], "net");
  EXPECT_EQ(lines[0]["code"], "OK");
  EXPECT_TRUE(lines[0]["error"].is_null());
  EXPECT_GT(lines[0]["time_us"], 0);
  EXPECT_EQ(lines[1]["action"], "refused");
  EXPECT_EQ(lines[1]["reason"], "unauthenticated");
  EXPECT_EQ(lines[1]["method"], "Push");
  EXPECT_TRUE(lines[1]["identity"].is_null());
  EXPECT_EQ(lines[1]["error"], "a \"text\"\nof a peer");
  struct stat found {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
}

TEST(AuditLog, InferencesAreWrittenWhenAskedFor) {
  const TempDir folder;
  const std::string path = folder.path() + "/audit";
  const auto log =
      AuditLog::Open({.path = path, .detail = AuditLogOptions::Detail::kInferencesToo}).value();
  EdgeEvent infer = Pushed("camera");
  infer.kind = EdgeEventKind::kInfer;
  log->Add(infer);
  const std::vector<json> lines = LinesOf(path);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["action"], "infer");
  EXPECT_EQ(lines[0]["identity"], "camera");
}

TEST(AuditLog, APeerThatIsRefusedForeverDoesNotFillTheDisk) {
  const TempDir folder;
  const std::string path = folder.path() + "/audit";
  auto log = AuditLog::Open({.path = path, .refusals_per_s = 3}).value();
  for (int i = 0; i < 1000; ++i) log->Add(Refused());
  // What others did is written all the same.
  log->Add(Pushed("installer"));
  log.reset();
  const std::vector<json> lines = LinesOf(path);
  ASSERT_GE(lines.size(), 5U);
  EXPECT_LT(lines.size(), 50U);
  std::int64_t refusals = 0;
  for (const json& line : lines) {
    if (line["action"] == "refused") ++refusals;
    if (line["action"] == "refused_more") refusals += line["count"].get<std::int64_t>();
  }
  EXPECT_EQ(refusals, 1000);
}

TEST(AuditLog, AFileThatWasMovedAwayIsBegunAnew) {
  const TempDir folder;
  const std::string path = folder.path() + "/audit";
  const auto log = AuditLog::Open({.path = path}).value();
  log->Add(Pushed("one"));
  std::filesystem::rename(path, path + ".1");
  log->Add(Pushed("two"));
  EXPECT_EQ(LinesOf(path + ".1").size(), 1U);
  ASSERT_EQ(LinesOf(path).size(), 1U);
  EXPECT_EQ(LinesOf(path)[0]["identity"], "two");
}

TEST(AuditLog, AFileThatCannotBeWrittenToIsAClearError) {
  const TempDir folder;
  const auto log = AuditLog::Open({.path = folder.path() + "/none/audit"});
  EXPECT_FALSE(log.ok());
  EXPECT_THAT(log.status().message(), ::testing::HasSubstr("/none/audit: cannot be written to"));
}

}  // namespace
}  // namespace cleave::app
