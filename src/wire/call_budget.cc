#include "wire/call_budget.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status_macros.h"
#include "wire/messages.h"

namespace cleave {
namespace {

CallLimits Share(const CallLimits& total, std::int64_t parts) {
  return {std::max<std::int64_t>(1, total.calls / parts),
          std::max<std::int64_t>(1, total.bytes / parts)};
}

void Remove(std::map<std::string, CallLimits>& from, const std::string& key,
            const CallLimits& taken) {
  const auto found = from.find(key);
  if (found == from.end()) return;
  found->second.calls -= taken.calls;
  found->second.bytes -= taken.bytes;
  if (found->second.calls <= 0 && found->second.bytes <= 0) from.erase(found);
}

}  // namespace

std::string AddressOf(absl::string_view peer) {
  const bool v4 = absl::ConsumePrefix(&peer, "ipv4:");
  if (!v4 && !absl::ConsumePrefix(&peer, "ipv6:")) return std::string(peer);
  absl::string_view address = peer.substr(0, peer.rfind(':'));
  if (!absl::ConsumePrefix(&address, "%5B")) absl::ConsumePrefix(&address, "[");
  if (!absl::ConsumeSuffix(&address, "%5D")) absl::ConsumeSuffix(&address, "]");
  return std::string(address);
}

CallBudget::Options CallBudget::Options::Of(const CallLimits& total) {
  return {cleave::Share(total, 4), cleave::Share(total, 2), total};
}

CallBudget::Share::Share(CallBudget& budget, absl::string_view peer, absl::string_view identity)
    : budget_(budget),
      connection_(peer),
      address_(AddressOf(peer)),
      peer_(identity.empty() ? address_ : std::string(identity)) {}

CallBudget::Share::~Share() { budget_.Give(connection_, peer_, taken_); }

absl::Status CallBudget::Share::TakeCall() {
  CLEAVE_RETURN_IF_ERROR(budget_.Take(connection_, peer_, Unit::kCalls, 1));
  ++taken_.calls;
  return absl::OkStatus();
}

absl::Status CallBudget::Share::TakeBytes(std::int64_t bytes) {
  CLEAVE_RETURN_IF_ERROR(budget_.Take(connection_, peer_, Unit::kBytes, bytes));
  taken_.bytes += bytes;
  return absl::OkStatus();
}

absl::Status CallBudget::Take(const std::string& connection, const std::string& peer, Unit unit,
                              std::int64_t amount) {
  const auto of = [unit](auto& limits) -> auto& {
    return unit == Unit::kCalls ? limits.calls : limits.bytes;
  };
  const absl::MutexLock lock(&mutex_);
  struct Level {
    const char* name;
    CallLimits& used;
    const CallLimits& limit;
  };
  const std::array<Level, 3> levels = {
      {{"each connection", connections_[connection], options_.connection},
       {"each peer", peers_[peer], options_.peer},
       {"all peers together", total_, options_.total}}};
  absl::Status refused;
  for (const Level& level : levels) {
    if (of(level.used) + amount <= of(level.limit)) continue;
    refused = Refused(Refusal::kBudget,
                      absl::ResourceExhaustedError(absl::StrCat(
                          "the budget of ", unit == Unit::kCalls ? "calls" : "bytes",
                          " in flight of ", level.name, ": found ", of(level.used), " and ", amount,
                          " more, expected at most ", of(level.limit))));
    break;
  }
  if (refused.ok()) {
    for (const Level& level : levels) of(level.used) += amount;
  }
  Remove(connections_, connection, {});
  Remove(peers_, peer, {});
  return refused;
}

void CallBudget::Give(const std::string& connection, const std::string& peer,
                      const CallLimits& taken) {
  const absl::MutexLock lock(&mutex_);
  Remove(connections_, connection, taken);
  Remove(peers_, peer, taken);
  total_.calls -= taken.calls;
  total_.bytes -= taken.bytes;
}

CallLimits CallBudget::InFlight() const {
  const absl::MutexLock lock(&mutex_);
  return total_;
}

}  // namespace cleave
