#include "edge/access_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <map>
#include <thread>

#include "core/sha256.h"
#include "support/certificates.h"

namespace cleave {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using testing::TempDir;
using ::testing::UnorderedElementsAre;
using testing::WriteSecret;

Credentials Token(const std::string& token) {
  Credentials credentials;
  credentials.has_token = true;
  credentials.token = token;
  return credentials;
}

Credentials Certificate(std::vector<std::string> names) {
  Credentials credentials;
  credentials.certificate_names = std::move(names);
  return credentials;
}

std::string Line(const std::string& identity, const std::string& roles, const std::string& token) {
  return identity + " " + roles + " " + Sha256Hex(token) + "\n";
}

std::unique_ptr<AccessList> ListOf(const TempDir& folder, const std::string& text) {
  return AccessList::Open({.file = WriteSecret(folder, "tokens", text), .on_reload = nullptr})
      .value();
}

TEST(AccessList, EachRoleMayWhatItSays) {
  const TempDir folder;
  const auto list =
      ListOf(folder, Line("looks", "infer", "t1") + Line("measures", "profile", "t2") +
                         Line("brings", "push", "t3") + Line("rules", "admin", "t4") +
                         Line("works", "infer,push", "t5"));
  using enum Permission;
  const std::map<std::string, std::vector<Permission>> may = {
      {"t1", {kInfer}},
      {"t2", {kProfile}},
      {"t3", {kPush}},
      {"t4", {kInfer, kProfile, kPush, kAdmin}},
      {"t5", {kInfer, kPush}}};
  for (const auto& [token, roles] : may) {
    for (const Permission needed : {kInfer, kProfile, kPush, kAdmin}) {
      const auto who = list->Authorize(Token(token), needed);
      const bool expected = std::find(roles.begin(), roles.end(), needed) != roles.end();
      EXPECT_EQ(who.ok(), expected) << token << " " << static_cast<int>(needed);
      if (!expected) {
        EXPECT_EQ(who.status().code(), StatusCode::kPermissionDenied);
        EXPECT_EQ(GetRefusal(who.status()), Refusal::kPermission);
      }
    }
    EXPECT_TRUE(list->Authorize(Token(token), kKnown).ok()) << token;
  }
  EXPECT_EQ(list->Authorize(Token("t5"), kPush).value(), "works");
  EXPECT_THAT(list->Authorize(Token("t1"), kPush).status().message(),
              HasSubstr("the roles of 'looks': found none of push"));
}

TEST(AccessList, WhoIsNotKnownMayOnlyWhatEverybodyMay) {
  const TempDir folder;
  const auto list = ListOf(folder, Line("one", "admin", "right"));
  for (const Credentials& credentials : {Credentials(), Token("wrong"), Token(""),
                                         Token(Sha256Hex("right")), Certificate({"one"})}) {
    EXPECT_EQ(list->Authorize(credentials, Permission::kNone).value(), "");
    for (const Permission needed : {Permission::kKnown, Permission::kInfer, Permission::kAdmin}) {
      const auto who = list->Authorize(credentials, needed);
      EXPECT_EQ(who.status().code(), StatusCode::kUnauthenticated);
      EXPECT_EQ(GetRefusal(who.status()), Refusal::kUnauthenticated);
    }
  }
}

TEST(AccessList, ACertificateIsAsGoodAsATokenButNoWrongTokenHidesBehindIt) {
  const TempDir folder;
  const auto list =
      ListOf(folder, "camera infer cert:cam.example.com\n" + Line("other", "push", "t"));
  const Credentials shown = Certificate({"else", "cam.example.com"});
  EXPECT_EQ(list->Authorize(shown, Permission::kInfer).value(), "camera");
  EXPECT_EQ(list->Authorize(Certificate({"else"}), Permission::kInfer).status().code(),
            StatusCode::kUnauthenticated);
  Credentials both = shown;
  both.has_token = true;
  both.token = "wrong";
  EXPECT_EQ(list->Authorize(both, Permission::kInfer).status().code(),
            StatusCode::kUnauthenticated);
  both.token = "t";
  EXPECT_EQ(list->Authorize(both, Permission::kPush).value(), "other");
}

TEST(AccessList, WithoutAFileWhoReachesTheServerMayUseIt) {
  const auto list = AccessList::Open({}).value();
  for (const Permission needed : {Permission::kKnown, Permission::kInfer, Permission::kPush}) {
    EXPECT_EQ(list->Authorize({}, needed).value(), "");
    EXPECT_EQ(list->Authorize(Certificate({"10.0.0.1", "cam.example.com"}), needed).value(),
              "cam.example.com");
  }
  EXPECT_EQ(list->Authorize({}, Permission::kAdmin).status().code(), StatusCode::kPermissionDenied);
}

TEST(AccessList, AChangedFileIsReadAgainAndABrokenOneChangesNothing) {
  const TempDir folder;
  std::vector<absl::Status> reloads;
  const auto list =
      AccessList::Open({.file = WriteSecret(folder, "tokens", Line("a", "infer", "old")),
                        .on_reload = [&](const absl::Status& read) { reloads.push_back(read); }})
          .value();
  const auto wait_for = [&](const std::string& token, StatusCode code) {
    for (int i = 0; i < 100; ++i) {
      if (list->Authorize(Token(token), Permission::kInfer).status().code() == code) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  };
  EXPECT_TRUE(wait_for("old", StatusCode::kOk));
  WriteSecret(folder, "tokens", "no such line at all here");
  for (int i = 0; i < 100 && reloads.empty(); ++i) {
    EXPECT_TRUE(list->Authorize(Token("old"), Permission::kInfer).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_EQ(reloads.size(), 1U);
  EXPECT_THAT(reloads[0].message(), HasSubstr("line 1: found 6 words"));
  WriteSecret(folder, "tokens", Line("a", "infer", "new") + Line("b", "infer", "newer"));
  EXPECT_TRUE(wait_for("new", StatusCode::kOk));
  EXPECT_TRUE(wait_for("old", StatusCode::kUnauthenticated));
  EXPECT_TRUE(reloads.back().ok());
}

TEST(AccessList, SaysWhichLineIsWrongAndHow) {
  const std::string digest = Sha256Hex("t");
  for (const auto& [text, said] :
       std::map<std::string, std::string>{{"", "no line"},
                                          {"# nothing but this\n", "no line"},
                                          {"\na infer\n", "line 2: found 2 words"},
                                          {"a infer,rule " + digest, "the role 'rule'"},
                                          {"a infer, " + digest, "the role ''"},
                                          {"192.0.2.1 infer " + digest, "the identity '192.0.2.1'"},
                                          {"a/b infer " + digest, "the identity 'a/b'"},
                                          {"a infer secret", "64"},
                                          {"a infer cert:", "no name of a certificate"}}) {
    const auto entries = ParseAccessList(text, "tokens");
    EXPECT_EQ(entries.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(entries.status().message(), HasSubstr(said)) << text;
  }
  const auto entries = ParseAccessList(
      "a infer,push " + digest + " # the first\r\n\nb\tadmin cert:b.example\n", "x");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_THAT((*entries)[0].roles, UnorderedElementsAre(Permission::kInfer, Permission::kPush));
  EXPECT_EQ((*entries)[0].token_digest, digest);
  EXPECT_EQ((*entries)[1].certificate, "b.example");
}

TEST(AccessList, AFileThatOthersMayWriteIsNoList) {
  const TempDir folder;
  const std::string path = WriteSecret(folder, "tokens", Line("a", "infer", "t"));
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  const auto list = AccessList::Open({.file = path, .on_reload = nullptr});
  EXPECT_EQ(list.status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace cleave
