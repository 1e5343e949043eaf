#include "edge/path_redactor.h"

#include <gtest/gtest.h>

#include "wire/messages.h"

namespace cleave {
namespace {

TEST(PathRedactor, LeavesTheNamesOfFilesAlone) {
  const PathRedactor redactor({"/srv/models", "/srv", "/var/cache/cleave/"});
  EXPECT_EQ(redactor.Redact("/srv/models/half.onnx: found 3 bytes"), "half.onnx: found 3 bytes");
  EXPECT_EQ(redactor.Redact("cannot read '/srv/a/b/c.onnx', expected it"),
            "cannot read 'c.onnx', expected it");
  EXPECT_EQ(redactor.Redact("in /var/cache/cleave/pushed/x.onnx and /srv/models/y"),
            "in x.onnx and y");
  EXPECT_EQ(redactor.Redact("the folder /srv/models is gone"), "the folder ... is gone");
  EXPECT_EQ(redactor.Redact("(/srv/models)"), "(...)");
}

TEST(PathRedactor, LeavesWhatIsNoPathOfTheServer) {
  const PathRedactor redactor({"/srv/models", "models"});
  for (const char* text :
       {"tensor '/model.0/conv/Conv_output_0'", "/srv/modelsize", "a/srv/models/x", "", "models2",
        "some models-of-mine", "10/models.onnx"}) {
    EXPECT_EQ(redactor.Redact(text), text);
  }
}

TEST(PathRedactor, AStatusKeepsItsCodeAndWhatGoesWithIt) {
  const PathRedactor redactor({"/srv"});
  absl::Status status = absl::ResourceExhaustedError("/srv/x is full");
  SetExpectedWait(status, 7);
  const absl::Status redacted = redactor.Redact(status);
  EXPECT_EQ(redacted.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(redacted.message(), "x is full");
  EXPECT_EQ(GetExpectedWait(redacted), 7);
  EXPECT_TRUE(redactor.Redact(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace cleave
