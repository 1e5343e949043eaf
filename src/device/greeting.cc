#include "device/greeting.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kGreetingTimeoutUs = 3'000'000;
constexpr std::int64_t kPushTimeoutUs = 300'000'000;

absl::Status SameTensors(absl::string_view kind, const std::vector<TensorSpec>& ours,
                         const std::vector<TensorSpec>& theirs) {
  for (const TensorSpec& spec : ours) {
    const auto found = std::find_if(theirs.begin(), theirs.end(),
                                    [&](const TensorSpec& each) { return each.name == spec.name; });
    if (found == theirs.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the edge's model has no ", kind, " '", spec.name, "'"));
    }
    if (found->dtype != spec.dtype) {
      return absl::FailedPreconditionError(absl::StrCat("the edge's ", kind, " '", spec.name,
                                                        "': found ", DataTypeName(found->dtype),
                                                        ", expected ", DataTypeName(spec.dtype)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<EdgeOffer> OfferOfPlainServer(const ModelInfo& info, const GreetingTerms& terms) {
  CLEAVE_RETURN_IF_ERROR(SameTensors("input", terms.inputs, info.inputs));
  CLEAVE_RETURN_IF_ERROR(SameTensors("output", terms.outputs, info.outputs));
  EdgeOffer offer;
  offer.plain = true;
  offer.exits.resize(terms.cuts.size());
  return offer;
}

// The cuts that the edge offers for an exit: none where it does not know the model's exits.
std::vector<int> CutsOf(const ModelInfo& info, const GreetingTerms& terms, std::size_t exit) {
  if (terms.cuts.size() == 1) return info.cuts;
  return info.exits.size() == terms.cuts.size() ? info.exits[exit].cuts : std::vector<int>();
}

std::vector<int> Common(std::vector<int> theirs, const std::vector<int>& ours) {
  std::sort(theirs.begin(), theirs.end());
  std::vector<int> common;
  std::set_intersection(theirs.begin(), theirs.end(), ours.begin(), ours.end(),
                        std::back_inserter(common));
  return common;
}

std::string CodecProblem(const ModelInfo& info, const GreetingTerms& terms) {
  if (terms.codecs == nullptr) return "the model has no codecs here";
  if (info.codec_digest == terms.codecs->digest()) return "";
  if (info.codec_digest.empty()) return "the edge has no codecs of the model";
  return absl::StrCat("the edge has other codecs of the model: digest ", info.codec_digest,
                      ", expected ", terms.codecs->digest());
}

absl::StatusOr<EdgeOffer> OfferOf(const ModelInfo& info, const GreetingTerms& terms) {
  if (info.digest.empty()) return OfferOfPlainServer(info, terms);
  if (info.digest != terms.digest) {
    return absl::FailedPreconditionError(absl::StrCat("digest mismatch: the edge's model '",
                                                      terms.model, "' has digest ", info.digest,
                                                      ", expected ", terms.digest));
  }
  EdgeOffer offer;
  offer.codecs = terms.codecs != nullptr && info.codec_digest == terms.codecs->digest();
  offer.codec_problem = CodecProblem(info, terms);
  offer.exits.resize(terms.cuts.size());
  for (std::size_t exit = 0; exit < terms.cuts.size(); ++exit) {
    offer.exits[exit].cuts = Common(CutsOf(info, terms, exit), terms.cuts[exit]);
  }
  return offer;
}

// A file that was replaced since the device opened it is not sent: its codecs are not the device's.
absl::Status PushCodecs(EdgeClient& client, const GreetingTerms& terms) {
  const std::string path = CodecFile::PathFor(terms.model_path);
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  const std::string digest = Sha256Hex(bytes);
  if (digest != terms.codecs->digest()) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": found digest ", digest, ", expected ", terms.codecs->digest(), " as it was"));
  }
  return client.Push({.content = PushOffer::Content::kCodec, .name = terms.model, .digest = digest},
                     bytes, kPushTimeoutUs);
}

}  // namespace

GreetingTerms TermsFor(const LocalModel& model, const std::string& model_path,
                       const DeviceOptions& options) {
  GreetingTerms terms;
  terms.model = options.edge.model;
  terms.model_path = model_path;
  terms.digest = model.graph->digest();
  terms.codecs = model.codecs;
  for (const LocalExit& exit : model.exits) {
    const std::vector<int>& candidates = exit.model.candidates;
    terms.cuts.emplace_back(candidates.begin(), candidates.end() - 1);
  }
  terms.wanted_exits = {model.main_exit};
  for (int exit = 0; !model.only_main_exit && exit < static_cast<int>(model.exits.size()); ++exit) {
    if (exit != model.main_exit) terms.wanted_exits.push_back(exit);
  }
  terms.inputs = model.graph->inputs();
  terms.outputs = model.graph->outputs();
  terms.shapes = model.shapes();
  terms.reply_bytes = EstimateMessageBytes(model.main().model.table.cuts.back().tensors);
  terms.push = options.edge.push;
  return terms;
}

absl::StatusOr<EdgeOffer> GreetEdge(EdgeClient& client, const GreetingTerms& terms) {
  absl::StatusOr<ModelInfo> info = client.GetModel(terms.model, kGreetingTimeoutUs);
  if (absl::IsNotFound(info.status()) && terms.push) {
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(terms.model_path));
    CLEAVE_RETURN_IF_ERROR(
        client.Push({.name = terms.model, .digest = terms.digest}, bytes, kPushTimeoutUs));
    info = client.GetModel(terms.model, kGreetingTimeoutUs);
  }
  CLEAVE_RETURN_IF_ERROR(info.status());
  CLEAVE_ASSIGN_OR_RETURN(EdgeOffer offer, OfferOf(*info, terms));
  if (offer.plain || offer.codecs || terms.codecs == nullptr || !terms.push) return offer;
  const absl::Status pushed = PushCodecs(client, terms);
  offer.codecs = pushed.ok();
  if (!pushed.ok()) absl::StrAppend(&offer.codec_problem, "; ", pushed.message());
  return offer;
}

}  // namespace cleave
