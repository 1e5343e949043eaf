#include "core/json_section.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Read = std::function<void(JsonSection& root)>;

// What a reader is told of a text.
std::string FaultOf(absl::string_view text, const Read& read,
                    JsonDocument::Names names = JsonDocument::Names::kPath) {
  auto document = JsonDocument::Parse(text, "f.json", names);
  if (!document.ok()) return std::string(document.status().message());
  JsonSection root = document->Root();
  read(root);
  return std::string(document->status().message());
}

Read ReadsWhole(const char* key) {
  return [key](JsonSection& root) {
    int value = 0;
    root.Whole(key, value);
  };
}

// The time of the second entry of `times`.
void ReadTimes(JsonSection& root) {
  for (JsonSection& entry : root.Sections("times", 0, 2)) {
    double us = 0;
    entry.Number("us", us);
    entry.Finish();
  }
}

TEST(JsonSectionTest, ReadsAListOfTexts) {
  std::vector<std::string> names = {"kept"};
  const auto read = [&](JsonSection& root) { root.Texts("names", 1, 2, names); };
  EXPECT_EQ(FaultOf(R"({"names": ["a", "b"]})", read), "");
  EXPECT_THAT(names, ElementsAre("a", "b"));
  EXPECT_EQ(FaultOf(R"({"names": ["c", 7]})", read),
            "f.json: names[1]: found number, expected a text");
  EXPECT_THAT(FaultOf(R"({"names": []})", read), HasSubstr("found 0 entries"));
  EXPECT_THAT(FaultOf(R"({"names": "a"})", read), HasSubstr("a list of 1 to 2 texts"));
  EXPECT_THAT(names, ElementsAre("a", "b"));
}

TEST(JsonSectionTest, ReadsEachTypeIntoItsPlace) {
  auto document = JsonDocument::Parse(
      R"({"yes": true, "name": "n", "n": 1.5, "i": -3, "u": 18446744073709551615,
          "list": [1, 2.5], "cuts": [0, 4], "in": {"x": 7}})",
      "f.json");
  ASSERT_TRUE(document.ok()) << document.status();
  JsonSection root = document->Root();
  bool yes = false;
  std::string name;
  double n = 0;
  int i = 0;
  std::uint64_t u = 0;
  std::vector<double> list;
  std::vector<int> cuts;
  int x = 0;
  root.Bool("yes", yes);
  root.Text("name", name);
  root.Number("n", n);
  root.Whole("i", i);
  root.Whole("u", u);
  root.Numbers("list", 1, 2, list);
  root.Wholes("cuts", 2, 2, cuts);
  JsonSection inner = root.Section("in");
  inner.Whole("x", 0, 7, x);
  inner.Finish();
  root.Finish();
  EXPECT_TRUE(document->status().ok()) << document->status();
  EXPECT_TRUE(yes);
  EXPECT_EQ(name, "n");
  EXPECT_EQ(n, 1.5);
  EXPECT_EQ(i, -3);
  EXPECT_EQ(u, 18446744073709551615U);
  EXPECT_THAT(list, ElementsAre(1, 2.5));
  EXPECT_THAT(cuts, ElementsAre(0, 4));
  EXPECT_EQ(x, 7);
  EXPECT_TRUE(root.Has("in"));
  EXPECT_FALSE(root.Has("out"));
}

TEST(JsonSectionTest, AnErrorNamesOriginFieldWhatWasFoundAndWhatWasExpected) {
  EXPECT_EQ(FaultOf("{", ReadsWhole("i")), "f.json: found no JSON object, expected one");
  EXPECT_EQ(FaultOf("[]", ReadsWhole("i")), "f.json: found no JSON object, expected one");
  EXPECT_EQ(FaultOf(R"({"i": 1.5})", ReadsWhole("i")),
            "f.json: i: found 1.5, expected a whole number");
  EXPECT_EQ(FaultOf(R"({"i": 4294967296})", ReadsWhole("i")),
            "f.json: i: found 4294967296, expected a whole number in range");
  EXPECT_EQ(FaultOf("{}", ReadsWhole("i")),
            "f.json: i: found nothing, expected a whole number (field 'i' is missing)");
  EXPECT_EQ(FaultOf(R"({"times": 3})", ReadTimes),
            "f.json: times: found 3, expected a list of 0 to 2 objects");
  EXPECT_EQ(FaultOf(R"({"times": [{"us": 1}, 3]})", ReadTimes),
            "f.json: times[1]: found number, expected one of 0 to 2 objects");
  EXPECT_EQ(FaultOf(R"({"times": [{}, {}, {}]})", ReadTimes),
            "f.json: times: found 3 entries, expected 0 to 2 objects");
  EXPECT_THAT(
      FaultOf(R"({"times": [{"us": 1, "ms": 2}]})", ReadTimes),
      HasSubstr("times[0].ms: found 2, expected none: field 'ms' is not one that there is"));
}

TEST(JsonSectionTest, ReadsListsOfTexts) {
  const auto read = [](JsonSection& root) {
    std::vector<std::string> names = {"kept"};
    root.Texts("names", 1, 2, names, "names");
    EXPECT_THAT(names, ElementsAre("kept"));
  };
  EXPECT_EQ(FaultOf(R"({"names": {"0": "cat"}})", read),
            "f.json: names: found object, expected a list of 1 to 2 names");
  EXPECT_EQ(FaultOf(R"({"names": []})", read),
            "f.json: names: found 0 entries, expected 1 to 2 names");
  EXPECT_EQ(FaultOf(R"({"names": ["cat", 7]})", read),
            "f.json: names[1]: found number, expected a text");
  auto document = JsonDocument::Parse(R"({"names": ["cat", "dog"]})", "f.json");
  ASSERT_TRUE(document.ok()) << document.status();
  std::vector<std::string> names;
  document->Root().Texts("names", 1, 2, names);
  EXPECT_THAT(names, ElementsAre("cat", "dog"));
}

TEST(JsonSectionTest, AListIsReadAsTheFieldOfAnObject) {
  auto document = JsonDocument::ParseList("[3, 4]", "property p", "cuts");
  ASSERT_TRUE(document.ok()) << document.status();
  std::vector<int> cuts;
  document->Root().Wholes("cuts", 0, 2, cuts);
  EXPECT_THAT(cuts, ElementsAre(3, 4));
  document->Root().Wholes("cuts", 3, 4, cuts);
  EXPECT_EQ(document->status().message(),
            "property p: cuts: found 2 entries, expected 3 to 4 whole numbers");
  for (const char* const text : {"", "[", "{}", "7", "[1] [2]"}) {
    EXPECT_EQ(JsonDocument::ParseList(text, "property p", "cuts").status().message(),
              "property p: found no JSON list, expected one")
        << text;
  }
}

// A reader that looks through all fields for each would take minutes.
TEST(JsonSectionTest, AnObjectOfManyFieldsIsReadAtOnce) {
  constexpr int kFields = 300'000;
  std::string text = "{\"last\": 1";
  for (int i = 0; i < kFields; ++i) absl::StrAppend(&text, ", \"", 1'000'000 + i, "\": 0");
  text += "}";
  auto document = JsonDocument::Parse(text, "f.json");
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->Root().Keys().size(), kFields + 1U);
  int last = 0;
  document->Root().Whole("last", last);
  EXPECT_EQ(last, 1);
}

TEST(JsonSectionTest, EachFormatNamesFieldsInItsWay) {
  constexpr char kText[] = R"({"times": [{"us": 1}, {"us": "x"}]})";
  using Names = JsonDocument::Names;
  EXPECT_THAT(FaultOf(kText, ReadTimes, Names::kPath), HasSubstr("f.json: times[1].us: found"));
  EXPECT_THAT(FaultOf(kText, ReadTimes, Names::kColon), HasSubstr("f.json: times[1]: us: found"));
  EXPECT_THAT(FaultOf(kText, ReadTimes, Names::kQuoted), HasSubstr("[1]: field 'us': found"));
}

TEST(JsonSectionTest, TheFirstFaultIsKeptAndNothingIsReadAfterIt) {
  auto document = JsonDocument::Parse(R"({"a": "x", "b": 2})", "f.json");
  ASSERT_TRUE(document.ok()) << document.status();
  JsonSection root = document->Root();
  int a = 1;
  int b = 1;
  root.Whole("a", a);
  root.Whole("b", b);
  root.Section("c").Whole("d", a);
  EXPECT_EQ(a, 1);
  EXPECT_EQ(b, 1);
  EXPECT_THAT(std::string(document->status().message()), HasSubstr("f.json: a: found \"x\""));
}

TEST(JsonSectionTest, WhatIsShownOfHostileTextIsShort) {
  const std::string long_key(5000, 'k');
  EXPECT_LT(FaultOf("{\"" + long_key + "\": \"" + long_key + "\"}",
                    [](JsonSection& root) { root.Finish(); })
                .size(),
            400U);
}

}  // namespace
}  // namespace cleave
