#include "device/record.h"

#include <utility>

namespace cleave {
namespace {

void AddBelief(const Decided& decided, InferenceRecord& record) {
  const Observation& observation = decided.observation;
  record.link_up_bps = decided.link_up_bps;
  record.link_rtt_us = observation.link.rtt_us.mean;
  record.link_age_us = observation.link.age_us;
  record.device_slowdown = observation.device_slowdown.mean;
  record.edge_slowdown = observation.edge_slowdown.mean;
}

Timeline WholeTimeline(const InferenceRequest& request, const Decided& decided, const HeadRun& head,
                       const Timeline& after_head) {
  Timeline time = after_head;
  time.wait_us += request.wait_us;
  time.decide_us = decided.decide_us;
  time.prepare_us += head.prepare_us;
  time.head_us = head.progress.run_us;
  return time;
}

}  // namespace

InferenceRecord AssembleRecord(const InferenceRequest& request, const Decided& decided,
                               const HeadRun& head, Answer answer, std::int64_t end_us) {
  InferenceRecord record;
  record.id = request.id;
  record.plan = answer.plan;
  record.decided = decided.plan;
  record.where = answer.where;
  if (!head.filtered()) record.fallback = answer.fallback ? answer.fallback : decided.fallback;
  record.reason = head.confident ? "confident" : head.filtered() ? "filtered" : decided.reason;
  record.filter = head.filter;
  record.latency_us = end_us - request.start_us;
  record.predicted_us = decided.predicted_us;
  record.timeline = WholeTimeline(request, decided, head, answer.time);
  record.unfamiliar = answer.unfamiliar;
  record.bytes_up = answer.bytes_up;
  record.bytes_down = answer.bytes_down;
  record.outputs = std::move(answer.outputs);
  record.form = answer.form;
  record.accuracy = answer.accuracy;
  record.confidence = head.confidence;
  record.deadline_us = request.deadline_us;
  record.deadline_missed = request.deadline_us && record.latency_us > *request.deadline_us;
  record.miss_chance = decided.miss_chance;
  record.hedge = answer.hedge;
  record.verification = answer.verification;
  AddBelief(decided, record);
  return record;
}

}  // namespace cleave
