#include "edge/admission.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/units.h"
#include "wire/messages.h"

namespace cleave {
namespace {

// A cancel token wakes nobody, so every wait looks at its own this often.
constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr double kUtilizationMemoryUs = 2e6;
// A run that takes longer than expected is taken to have this share of the expectation left.
constexpr double kOverrunShare = 0.1;

absl::string_view WhyOf(Refusal reason) {
  switch (reason) {
    case Refusal::kQueueFull:
      return "the queue is full";
    case Refusal::kDisplaced:
      return "the place was given to a client with fewer requests";
    default:
      return "the deadline would pass before the end of the run";
  }
}

absl::Status ShuttingDown() {
  return Refused(Refusal::kShutdown, absl::UnavailableError("the edge is shutting down"));
}

int UnitsOf(const Admission::Request& request, const AdmissionOptions& options) {
  return request.exclusive ? options.workers : 1;
}

}  // namespace

Admission::Permit::~Permit() {
  if (owner_ != nullptr) owner_->Leave(entry_);
}

std::int64_t Admission::Permit::queue_us() const { return entry_->started_us - entry_->entered_us; }

Admission::Admission(const AdmissionOptions& options, const Clock& clock)
    : options_(options), clock_(clock), utilization_us_(clock.NowUs()) {}

double Admission::WeightOf(const std::string& client) const {
  const auto found = options_.weights.find(client);
  return found == options_.weights.end() ? 1 : found->second;
}

double Admission::VirtualCost(const Entry& entry, double run_us) const {
  return std::max(run_us, 1.0) * entry.units / WeightOf(entry.request.client);
}

// No request of a client is served before an earlier one.
double Admission::StartTagOf(const std::string& client) const {
  const auto found = clients_.find(client);
  double tag = virtual_time_;
  if (found != clients_.end()) tag = std::max(tag, found->second.finish_tag);
  for (const Entry& entry : queue_) {
    if (entry.request.client == client) tag = std::max(tag, entry.start_tag);
  }
  return tag;
}

std::list<Admission::Entry>::iterator Admission::Enqueue(const Request& request) {
  const double start_tag = StartTagOf(request.client);
  const auto place = std::find_if(queue_.begin(), queue_.end(), [&](const Entry& waiting) {
    return waiting.start_tag > start_tag;
  });
  const auto entry = queue_.emplace(place);
  entry->request = request;
  entry->entered_us = clock_.NowUs();
  entry->units = UnitsOf(request, options_);
  entry->start_tag = start_tag;
  Client& client = clients_[request.client];
  client.finish_tag = start_tag + VirtualCost(*entry, request.expected_us);
  ++client.waiting;
  return entry;
}

// The time that a request did not take is its client's again.
void Admission::Dequeue(std::list<Entry>::iterator entry) {
  Client& client = clients_[entry->request.client];
  client.finish_tag -= VirtualCost(*entry, entry->request.expected_us);
  if (!entry->displaced) --client.waiting;
  queue_.erase(entry);
  ForgetIdleClients();
}

void Admission::ForgetIdleClients() {
  std::erase_if(clients_, [this](const auto& named) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const Client& client = named.second;
    return client.waiting == 0 && client.running == 0 && client.finish_tag <= virtual_time_;
  });
  if (!queue_.empty() || !running_.empty()) return;
  clients_.clear();
  virtual_time_ = 0;
}

Admission::Entry* Admission::FindDisplaceable(const std::string& client) {
  const auto share = [this](const std::string& name, int waiting) {
    return waiting / WeightOf(name);
  };
  const auto most =
      std::max_element(clients_.begin(), clients_.end(), [&](const auto& one, const auto& other) {
        return share(one.first, one.second.waiting) < share(other.first, other.second.waiting);
      });
  if (most == clients_.end() || most->first == client) return nullptr;
  const auto own = clients_.find(client);
  const int would_wait = (own == clients_.end() ? 0 : own->second.waiting) + 1;
  if (share(client, would_wait) >= share(most->first, most->second.waiting)) return nullptr;
  const auto last = std::find_if(queue_.rbegin(), queue_.rend(), [&](const Entry& entry) {
    return entry.request.client == most->first && !entry.displaced;
  });
  return last == queue_.rend() ? nullptr : &*last;
}

absl::StatusOr<Admission::Permit> Admission::Enter(const Request& request) {
  const absl::MutexLock lock(&mutex_);
  Request checked = request;
  checked.expectation_out_of_date &= CanRunAtOnce(request);
  if (absl::Status room = CheckRoom(checked); !room.ok()) return room;
  const auto entry = Enqueue(checked);
  Grant();
  if (absl::Status waited = AwaitGrant(*entry); !waited.ok()) {
    Dequeue(entry);
    Grant();
    return waited;
  }
  return Permit(*this, entry);
}

bool Admission::CanRunAtOnce(const Request& request) const {
  return queue_.empty() && busy_ + UnitsOf(request, options_) <= options_.workers;
}

bool Admission::IsLate(const Request& request, std::int64_t wait_us) const {
  if (request.deadline_us <= 0 || request.expectation_out_of_date) return false;
  const auto left_us = static_cast<double>(request.deadline_us - clock_.NowUs() - wait_us);
  return request.expected_us > left_us;
}

absl::Status Admission::CheckRoom(const Request& request) {
  if (closed_) return ShuttingDown();
  if (request.deadline_us > 0 && clock_.NowUs() >= request.deadline_us) {
    return absl::DeadlineExceededError("the deadline passed before the request arrived");
  }
  const bool waits = !CanRunAtOnce(request);
  const std::int64_t wait_us = waits ? ExpectedWaitLocked(StartTagOf(request.client)) : 0;
  const auto taken = std::count_if(queue_.begin(), queue_.end(),
                                   [](const Entry& entry) { return !entry.displaced; });
  const bool full = waits && taken >= options_.queue_capacity;
  Entry* const displaced = full ? FindDisplaceable(request.client) : nullptr;
  if (full && displaced == nullptr) return Refuse(Refusal::kQueueFull, wait_us);
  if (IsLate(request, wait_us)) return Refuse(Refusal::kLate, wait_us);
  if (displaced != nullptr) {
    displaced->displaced = true;
    --clients_[displaced->request.client].waiting;
    displaced->wake.Signal();  // Its own thread refuses it.
  }
  return absl::OkStatus();
}

absl::Status Admission::Refuse(Refusal reason, std::int64_t wait_us) {
  ++refused_;
  absl::Status status = absl::ResourceExhaustedError(
      absl::StrCat(WhyOf(reason), ": ", queue_.size(), " of ", options_.queue_capacity,
                   " places taken, expected wait ", FormatDuration(static_cast<double>(wait_us))));
  SetExpectedWait(status, wait_us);
  return Refused(reason, std::move(status));
}

absl::Status Admission::AwaitGrant(Entry& entry) {
  const std::int64_t deadline_us = entry.request.deadline_us;
  while (!entry.granted) {
    if (aborted_) return ShuttingDown();
    if (entry.displaced) {
      return Refuse(Refusal::kDisplaced, ExpectedWaitLocked(entry.start_tag));
    }
    if (entry.request.cancel.cancelled()) return absl::CancelledError("cancelled in the queue");
    absl::Duration wait = kPoll;
    if (deadline_us > 0) {
      const std::int64_t left_us = deadline_us - clock_.NowUs();
      if (left_us <= 0) return absl::DeadlineExceededError("the deadline passed in the queue");
      if (IsLate(entry.request, 0))
        return Refuse(Refusal::kLate, ExpectedWaitLocked(entry.start_tag));
      wait = std::min(wait, absl::Microseconds(left_us));
    }
    entry.wake.WaitWithTimeout(&mutex_, wait);
  }
  return absl::OkStatus();
}

void Admission::Grant() {
  NoteUtilization();
  for (auto entry = queue_.begin(); entry != queue_.end() && !aborted_;) {
    const auto next = std::next(entry);
    if (entry->displaced || IsLate(entry->request, 0)) {
      entry->wake.Signal();  // Its own thread refuses it.
    } else if (busy_ + entry->units <= options_.workers) {
      busy_ += entry->units;
      entry->started_us = clock_.NowUs();
      entry->granted = true;
      virtual_time_ = std::max(virtual_time_, entry->start_tag);
      --clients_[entry->request.client].waiting;
      ++clients_[entry->request.client].running;
      entry->wake.Signal();
      running_.splice(running_.end(), queue_, entry);
    } else {
      return;
    }
    entry = next;
  }
}

void Admission::Leave(std::list<Entry>::iterator entry) {
  const absl::MutexLock lock(&mutex_);
  NoteUtilization();
  busy_ -= entry->units;
  if (!entry->request.continues) ++completed_;
  Client& client = clients_[entry->request.client];
  --client.running;
  const auto took_us = static_cast<double>(clock_.NowUs() - entry->started_us);
  client.finish_tag +=
      VirtualCost(*entry, took_us) - VirtualCost(*entry, entry->request.expected_us);
  running_.erase(entry);
  ForgetIdleClients();
  Grant();
}

void Admission::NoteUtilization() const {
  const std::int64_t now_us = clock_.NowUs();
  const double kept =
      std::exp(-static_cast<double>(now_us - utilization_us_) / kUtilizationMemoryUs);
  const double busy = static_cast<double>(busy_) / options_.workers;
  utilization_ = kept * utilization_ + (1 - kept) * busy;
  utilization_us_ = now_us;
}

std::int64_t Admission::ExpectedWaitLocked(double start_tag) const {
  if (queue_.empty() && busy_ < options_.workers) return 0;
  const auto now_us = static_cast<double>(clock_.NowUs());
  double work_us = 0;
  for (const Entry& entry : queue_) {
    if (entry.start_tag > start_tag || entry.displaced) continue;
    if (!IsLate(entry.request, 0)) work_us += entry.request.expected_us * entry.units;
  }
  for (const Entry& entry : running_) {
    const double expected_us = entry.request.expected_us;
    const double elapsed_us = now_us - static_cast<double>(entry.started_us);
    work_us += std::max(expected_us - elapsed_us, kOverrunShare * expected_us) * entry.units;
  }
  return static_cast<std::int64_t>(work_us / options_.workers);
}

AdmissionLoad Admission::Load() const {
  const absl::MutexLock lock(&mutex_);
  NoteUtilization();
  AdmissionLoad load;
  load.queued = static_cast<int>(queue_.size());
  load.running = static_cast<int>(running_.size());
  load.utilization = utilization_;
  load.expected_wait_us = ExpectedWaitLocked(std::numeric_limits<double>::infinity());
  load.completed = completed_;
  load.refused = refused_;
  return load;
}

std::int64_t Admission::ExpectedWaitUs(const std::string& client) const {
  const absl::MutexLock lock(&mutex_);
  return ExpectedWaitLocked(StartTagOf(client));
}

void Admission::Close() {
  const absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool Admission::WaitIdle(std::int64_t timeout_us) {
  const absl::MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return queue_.empty() && running_.empty();
  };
  return mutex_.AwaitWithTimeout(absl::Condition(&idle), absl::Microseconds(timeout_us));
}

void Admission::Abort() {
  const absl::MutexLock lock(&mutex_);
  closed_ = true;
  aborted_ = true;
  for (Entry& entry : queue_) entry.wake.Signal();
}

}  // namespace cleave
