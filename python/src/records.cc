#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>

#include "bindings.h"

namespace cleave::python {
namespace {

namespace nb = nanobind;

nb::object Name(absl::string_view text) { return nb::cast(std::string(text)); }

nb::dict TimelineFields(const Timeline& timeline) {
  nb::dict fields;
  fields["decide_us"] = timeline.decide_us;
  fields["prepare_us"] = timeline.prepare_us;
  fields["head_us"] = timeline.head_us;
  fields["encode_us"] = timeline.encode_us;
  fields["uplink_us"] = timeline.uplink_us;
  fields["queue_us"] = timeline.queue_us;
  fields["tail_us"] = timeline.tail_us;
  fields["downlink_us"] = timeline.downlink_us;
  fields["wasted_us"] = timeline.wasted_us;
  return fields;
}

nb::object HedgeFields(const std::optional<HedgeRecord>& hedge) {
  if (!hedge) return nb::none();
  nb::dict fields;
  fields["plan"] = PlanFields(hedge->plan);
  fields["finished_us"] = OrNone(hedge->finished_us);
  fields["won"] = hedge->won;
  return fields;
}

nb::object FilterFields(const std::optional<FilterRecord>& filter) {
  if (!filter) return nb::none();
  nb::dict fields;
  fields["outcome"] = Name(OutcomeName(filter->outcome));
  fields["logit"] = filter->logit;
  return fields;
}

nb::object VerificationFields(const std::optional<VerificationRecord>& verification) {
  if (!verification) return nb::none();
  nb::dict fields;
  fields["agrees"] = verification->agrees;
  fields["difference"] = verification->difference;
  return fields;
}

}  // namespace

nb::dict PlanFields(const Plan& plan) {
  nb::dict fields;
  fields["exit"] = plan.exit;
  fields["cut"] = plan.cut;
  fields["encoding"] = Name(EncodingName(plan.encoding));
  return fields;
}

nb::dict SpecFields(const TensorSpec& spec, const std::vector<std::string>& symbols) {
  nb::list shape;
  for (std::size_t axis = 0; axis < spec.shape.size(); ++axis) {
    if (spec.shape[axis] >= 0) {
      shape.append(spec.shape[axis]);
    } else if (axis < symbols.size() && !symbols[axis].empty()) {
      shape.append(TextFromOutside(symbols[axis]));
    } else {
      shape.append(nb::none());
    }
  }
  nb::dict fields;
  fields["name"] = TextFromOutside(spec.name);
  fields["dtype"] = Name(DataTypeName(spec.dtype));
  fields["shape"] = shape;
  return fields;
}

nb::dict RecordFields(const InferenceRecord& record) {
  nb::dict fields;
  fields["id"] = record.id;
  fields["plan"] = PlanFields(record.plan);
  fields["decided"] = PlanFields(record.decided);
  fields["where"] = Name(WhereName(record.where));
  fields["fallback"] = record.fallback ? TextFromOutside(*record.fallback) : nb::none();
  fields["reason"] = TextFromOutside(record.reason);
  fields["latency_us"] = record.latency_us;
  fields["predicted_us"] = record.predicted_us;
  fields["timeline"] = TimelineFields(record.timeline);
  fields["unfamiliar"] = record.unfamiliar;
  fields["bytes_up"] = record.bytes_up;
  fields["bytes_down"] = record.bytes_down;
  fields["form"] = record.form == AnswerForm::kDetections ? "detections" : "outputs";
  fields["filter"] = FilterFields(record.filter);
  fields["accuracy"] = OrNone(record.accuracy);
  fields["confidence"] = OrNone(record.confidence);
  fields["deadline_us"] = OrNone(record.deadline_us);
  fields["deadline_missed"] = record.deadline_missed;
  fields["miss_chance"] = OrNone(record.miss_chance);
  fields["hedge"] = HedgeFields(record.hedge);
  fields["verification"] = VerificationFields(record.verification);
  fields["link_up_bps"] = record.link_up_bps;
  fields["link_rtt_us"] = record.link_rtt_us;
  fields["link_age_us"] = record.link_age_us;
  fields["device_slowdown"] = record.device_slowdown;
  fields["edge_slowdown"] = record.edge_slowdown;
  return fields;
}

nb::dict ForecastFields(const PlanForecast& forecast) {
  nb::dict fields;
  fields["exit"] = forecast.exit;
  fields["cut"] = forecast.cut;
  fields["encoding"] = Name(EncodingName(forecast.encoding));
  fields["accuracy"] = OrNone(forecast.accuracy);
  fields["tensors"] = TextFromOutside(forecast.tensors);
  fields["bytes_up"] = forecast.bytes_up;
  fields["head_us"] = forecast.head_us;
  fields["encode_us"] = forecast.encode_us;
  fields["uplink_us"] = forecast.uplink_us;
  fields["queue_us"] = forecast.queue_us;
  fields["tail_us"] = forecast.tail_us;
  fields["downlink_us"] = forecast.downlink_us;
  fields["total_us"] = forecast.total_us;
  fields["allowed"] = forecast.allowed;
  fields["chosen"] = forecast.chosen;
  return fields;
}

}  // namespace cleave::python
