#include "wire/status.h"

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/printable.h"
#include "wire/messages.h"

namespace cleave {
namespace {

constexpr char kExpectedWaitKey[] = "cleave-expected-wait-us";
constexpr std::size_t kMaxMessage = 4096;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status, grpc::ServerContextBase& context) {
  if (status.ok()) return grpc::Status::OK;
  if (const auto wait_us = GetExpectedWait(status)) {
    context.AddTrailingMetadata(kExpectedWaitKey, absl::StrCat(*wait_us));
  }
  return {static_cast<grpc::StatusCode>(status.raw_code()),
          Shortened(status.message(), kMaxMessage)};
}

absl::Status FromGrpcStatus(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  absl::Status converted(static_cast<absl::StatusCode>(status.error_code()),
                         Printable(status.error_message(), 2 * kMaxMessage));
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find(kExpectedWaitKey);
  std::int64_t wait_us = 0;
  if (found != metadata.end() &&
      absl::SimpleAtoi(absl::string_view(found->second.data(), found->second.size()), &wait_us) &&
      wait_us >= 0) {
    SetExpectedWait(converted, wait_us);
  }
  return converted;
}

}  // namespace cleave
