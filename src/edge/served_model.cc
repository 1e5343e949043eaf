#include "edge/served_model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/clock.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "edge/call_check.h"
#include "model/input_shapes.h"
#include "wire/frames.h"

namespace cleave {
namespace {

// The platform name that the protocol's servers use for ONNX files.
constexpr char kPlatform[] = "onnxruntime_onnx";
constexpr std::int64_t kLargeBatch = 16;

// The tensors of `all` that have these names, in the order of the names; all of them where no names
// are given.
absl::StatusOr<std::vector<NamedTensor>> Select(std::vector<NamedTensor> all,
                                                const std::vector<std::string>& names,
                                                const std::string& where) {
  if (names.empty()) return all;
  std::vector<NamedTensor> selected;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const NamedTensor& one) { return one.name == name; });
    if (found == all.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": output '", name, "' comes before the cut"));
    }
    selected.push_back(std::move(*found));
  }
  return selected;
}

// The tensors of a call as they are told before frames are decoded.
std::vector<TensorSpec> SpecsOf(const InferCall& call) {
  std::vector<TensorSpec> specs;
  for (const NamedTensor& input : call.inputs) {
    specs.push_back({input.name, input.tensor.dtype(), input.tensor.shape()});
  }
  for (const NamedFrame& frame : call.frames) {
    specs.push_back({frame.name, frame.info.tensor.dtype, frame.info.tensor.shape});
  }
  return specs;
}

// Makes the pictures of a call the model's only input.
absl::StatusOr<std::vector<NamedTensor>> DecodePictures(const InferCall& call,
                                                        const std::string& input,
                                                        const CancelToken& cancel) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < call.images.size(); ++i) {
    if (cancel.cancelled()) return absl::CancelledError("cancelled while decoding pictures");
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor, ImageToTensor(call.images[i], *call.preprocessing,
                                                         absl::StrCat("picture ", i)));
    tensors.push_back(std::move(tensor));
  }
  CLEAVE_ASSIGN_OR_RETURN(Tensor batch, StackBatch(tensors));
  return std::vector<NamedTensor>{{input, std::move(batch)}};
}

}  // namespace

// What ONNX Runtime infers counts: what a file declares may be stale, and sizes of one run may be
// others in the next.
ServedModel::Path ServedModel::MakePath(ExitModel model) {
  Path path;
  for (const int cut : model.candidates) {
    if (cut == model.last_cut()) continue;
    path.inputs_of_cut[cut] = model.chain->LiveTypes(model.chain->BoundaryOf(cut));
  }
  const std::vector<std::string>& live = model.chain->LiveTensors(0);
  for (const TensorSpec& input : model.graph->inputs()) {
    if (std::find(live.begin(), live.end(), input.name) == live.end()) path.unused.push_back(input);
  }
  path.model = std::move(model);
  return path;
}

std::vector<int> ServedModel::CutsOf(const Path& path) {
  std::vector<int> cuts;
  for (const auto& [cut, specs] : path.inputs_of_cut) cuts.push_back(cut);
  return cuts;
}

absl::StatusOr<std::shared_ptr<const ServedModel>> ServedModel::Create(
    const std::string& name, const std::shared_ptr<const Graph>& graph, const Options& options) {
  CandidateSpec cuts = options.cuts;
  if (options.codecs) cuts.tensors = options.codecs->Tensors();
  CLEAVE_ASSIGN_OR_RETURN(std::vector<ExitModel> exits,
                          BuildExitModels(graph, {.cuts = std::move(cuts),
                                                  .inputs = options.inputs,
                                                  .runtime = options.runtime,
                                                  .on_progress = options.on_progress}));
  std::shared_ptr<ServedModel> model(new ServedModel);
  for (ExitModel& exit : exits) model->paths_.push_back(MakePath(std::move(exit)));
  model->info_ = {
      name, graph->digest(), kPlatform, graph->inputs(), graph->outputs(), CutsOf(model->path(0)),
      {}};
  if (!graph->exits().empty()) {
    model->info_.cuts = {0};
    for (std::size_t exit = 0; exit < model->paths_.size(); ++exit) {
      model->info_.exits.push_back({graph->exits()[exit], CutsOf(model->paths_[exit])});
    }
    CLEAVE_RETURN_IF_ERROR(model->CheckOutputsAreExits());
  }
  model->graph_ = graph;
  model->codecs_ = options.codecs;
  if (options.codecs) model->info_.codec_digest = options.codecs->digest();
  return model;
}

absl::Status ServedModel::CheckOutputsAreExits() const {
  for (const TensorSpec& output : info_.outputs) {
    if (std::none_of(info_.exits.begin(), info_.exits.end(),
                     [&](const ModelInfo::Exit& exit) { return exit.name == output.name; })) {
      return absl::InvalidArgumentError(absl::StrCat(
          "model '", info_.name, "': found an output '", output.name, "' that is none of its ",
          info_.exits.size(), " exits, expected one output for each exit"));
    }
  }
  return absl::OkStatus();
}

absl::Status ServedModel::CheckDigest(const std::string& digest) const {
  if (digest == info_.digest) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("model '", info_.name, "': found digest ",
                                                    digest.substr(0, 64), ", expected ",
                                                    info_.digest));
}

absl::Status ServedModel::CheckExit(int exit) const {
  if (exit >= 0 && exit < static_cast<int>(paths_.size())) return absl::OkStatus();
  std::vector<std::string> known;
  for (std::size_t i = 0; i < info_.exits.size(); ++i) {
    known.push_back(absl::StrCat(i, " ('", info_.exits[i].name, "')"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("model '", info_.name, "': found exit ", exit, ", expected ",
                   known.empty() ? "0, as it has no early exits"
                                 : absl::StrCat("one of ", absl::StrJoin(known, ", "))));
}

InputShapes ServedModel::shapes(int exit) const {
  return ShapesOf(path(exit).model.table.inputs.specs);
}

absl::StatusOr<InputShapes> ServedModel::ShapesAtBatch(int exit, std::int64_t batch) const {
  return WithBatch(*path(exit).model.graph, shapes(exit), batch);
}

absl::StatusOr<ServedModel::Start> ServedModel::FindStart(const std::optional<std::string>& digest,
                                                          std::optional<int> exit,
                                                          std::optional<int> cut) const {
  if (digest) CLEAVE_RETURN_IF_ERROR(CheckDigest(*digest));
  if (exit) CLEAVE_RETURN_IF_ERROR(CheckExit(*exit));
  Start start;
  start.cut = cut.value_or(0);
  start.exit = exit;
  start.where = absl::StrCat("model '", info_.name, "'");
  const bool all_exits = !exit && !info_.exits.empty();
  if (all_exits && start.cut != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        start.where, ": found cut ", start.cut,
        " without an exit, expected cut 0 or one of the exits 0 to ", info_.exits.size() - 1));
  }
  if (!all_exits) start.exit = exit.value_or(0);
  if (start.exit && !info_.exits.empty()) absl::StrAppend(&start.where, ", exit ", *start.exit);
  start.path = &path(start.exit.value_or(0));
  const auto expected = start.path->inputs_of_cut.find(start.cut);
  if (expected == start.path->inputs_of_cut.end()) {
    return absl::InvalidArgumentError(absl::StrCat(start.where, ": found cut ", start.cut,
                                                   ", expected one of ",
                                                   absl::StrJoin(CutsOf(*start.path), ", ")));
  }
  start.inputs = &expected->second;
  if (start.cut == 0) start.unused = start.path->unused;
  return start;
}

absl::StatusOr<std::int64_t> ServedModel::CheckHead(const InferHead& head) const {
  CLEAVE_ASSIGN_OR_RETURN(const Start start, FindStart(head.digest, head.exit, head.cut));
  switch (head.form) {
    case InferHead::Form::kTensors: {
      const std::string at_cut = absl::StrCat(start.where, " at cut ", start.cut);
      CLEAVE_ASSIGN_OR_RETURN(const CallSize size,
                              CheckInputs(at_cut, head.inputs, *start.inputs, start.unused));
      return size.batch;
    }
    case InferHead::Form::kFrames:
      return 1;
    case InferHead::Form::kPictures:
      return head.pictures;
  }
  return 1;
}

absl::StatusOr<Tail> ServedModel::Check(const InferCall& call) const {
  CLEAVE_ASSIGN_OR_RETURN(const Start start, FindStart(call.digest, call.exit, call.cut));
  CLEAVE_RETURN_IF_ERROR(CheckCodecDigest(call));
  Tail tail;
  tail.cut = start.cut;
  tail.exit = start.exit;
  const std::string at_cut = absl::StrCat(start.where, " at cut ", tail.cut);
  CLEAVE_ASSIGN_OR_RETURN(const CallSize size,
                          call.images.empty()
                              ? CheckInputs(at_cut, SpecsOf(call), *start.inputs, start.unused)
                              : CheckPictures(at_cut, call, *start.inputs));
  tail.batch = size.batch;
  tail.elements = size.elements;
  const std::vector<TensorSpec>& outputs =
      tail.exit ? start.path->model.graph->outputs() : info_.outputs;
  CLEAVE_RETURN_IF_ERROR(CheckOutputNames(start.where, call.outputs, outputs));
  if (call.detections) {
    CLEAVE_RETURN_IF_ERROR(CheckOutputNames(start.where, call.detections->OutputNames(), outputs));
  }
  CLEAVE_RETURN_IF_ERROR(CheckCodecs(call));
  tail.from = start.path->model.chain->BoundaryOf(tail.cut);
  return tail;
}

absl::Status ServedModel::CheckCodecs(const InferCall& call) const {
  for (const NamedFrame& frame : call.frames) {
    if (!CodecRate(frame.info.encoding)) continue;
    const std::string where = absl::StrCat("model '", info_.name, "': input '", frame.name, "'");
    const TensorCodec* codec = codecs_ == nullptr ? nullptr : codecs_->Find(frame.name);
    if (codec == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": found ", EncodingName(frame.info.encoding),
                       ", expected another encoding, as there is no codec of this tensor"));
    }
    const Shape& shape = frame.info.tensor.shape;
    if (codec->Takes(shape) || ElementCount(shape).value_or(0) == 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": found ", EncodingName(frame.info.encoding), " of ",
                     ShapeString(shape), ", expected a shape that the codec takes"));
  }
  return absl::OkStatus();
}

absl::Status ServedModel::CheckCodecDigest(const InferCall& call) const {
  const bool needed = std::any_of(call.frames.begin(), call.frames.end(), [](const auto& frame) {
    return CodecRate(frame.info.encoding).has_value();
  });
  if (!needed) return absl::OkStatus();
  const std::string found = call.codec_digest.value_or("");
  if (!found.empty() && found == info_.codec_digest) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "model '", info_.name, "': found codec digest ", found.empty() ? "none" : found,
      ", expected ",
      info_.codec_digest.empty() ? "none, as there are no codecs here" : info_.codec_digest));
}

absl::StatusOr<ServedModel::Result> ServedModel::Run(const Tail& tail, const InferCall& call,
                                                     const CancelToken& cancel) const {
  Result result;
  std::vector<NamedTensor> inputs = call.inputs;
  if (!call.images.empty() || !call.frames.empty()) {
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(inputs, call.images.empty()
                                        ? DecodeFrames(call, codecs_.get(), cancel)
                                        : DecodePictures(call, info_.inputs[0].name, cancel));
    result.decode_us = Clock::Steady().NowUs() - start_us;
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NamedTensor> all,
                          tail.exit
                              ? RunPath(path(*tail.exit), tail, inputs, cancel, result.compute_us)
                              : RunAllExits(tail, std::move(inputs), cancel, result.compute_us));
  const std::string where = absl::StrCat("model '", info_.name, "'");
  if (!call.detections) {
    CLEAVE_ASSIGN_OR_RETURN(result.outputs, Select(std::move(all), call.outputs, where));
    return result;
  }
  const std::int64_t detect_us = Clock::Steady().NowUs();
  absl::StatusOr<std::vector<NamedTensor>> found = call.detections->Answer(all);
  if (!found.ok()) {
    return absl::Status(found.status().code(), absl::StrCat(where, ": ", found.status().message()));
  }
  result.outputs = *std::move(found);
  result.compute_us += Clock::Steady().NowUs() - detect_us;
  return result;
}

Chain::Memory ServedModel::MemoryAfter(const Tail& tail) {
  return tail.batch > kLargeBatch ? Chain::Memory::kGiveBack : Chain::Memory::kKeep;
}

absl::StatusOr<std::vector<NamedTensor>> ServedModel::RunPath(
    const Path& path, const Tail& tail, const std::vector<NamedTensor>& inputs,
    const CancelToken& cancel, std::int64_t& run_us) const {
  const Chain& chain = *path.model.chain;
  CLEAVE_ASSIGN_OR_RETURN(ChainResult run, chain.Run(tail.from, chain.segments(), inputs, cancel,
                                                     Chain::Report::kNothing, MemoryAfter(tail)));
  run_us = run.run_us;
  AddMissing(run.early_outputs, run.tensors);
  return std::move(run.tensors);
}

// Runs along the last exit's chain from fork to fork, and from each fork into the branch that
// leaves there, so that no segment before a fork runs twice.
absl::StatusOr<std::vector<NamedTensor>> ServedModel::RunAllExits(const Tail& tail,
                                                                  std::vector<NamedTensor> inputs,
                                                                  const CancelToken& cancel,
                                                                  std::int64_t& run_us) const {
  const Chain& trunk = *paths_.back().model.chain;
  std::multimap<int, const ExitModel*> branches;
  for (std::size_t exit = 0; exit + 1 < paths_.size(); ++exit) {
    const ExitModel& model = paths_[exit].model;
    branches.emplace(trunk.BoundaryOf(model.fork.last_cut), &model);
  }
  std::map<std::string, Tensor> by_name;
  const auto run = [&](const Chain& chain, int from, int to) -> absl::Status {
    CLEAVE_ASSIGN_OR_RETURN(
        ChainResult result,
        chain.Run(from, to, inputs, cancel, Chain::Report::kNothing, MemoryAfter(tail)));
    run_us += result.run_us;
    if (to < chain.segments()) {
      inputs = std::move(result.tensors);
      return absl::OkStatus();
    }
    for (NamedTensor& output : result.tensors) by_name[output.name] = std::move(output.tensor);
    return absl::OkStatus();
  };
  int at = 0;
  for (const auto& [fork, branch] : branches) {
    if (fork > at) CLEAVE_RETURN_IF_ERROR(run(trunk, at, fork));
    at = fork;
    const Chain& chain = *branch->chain;
    CLEAVE_RETURN_IF_ERROR(run(chain, chain.BoundaryOf(branch->fork.cut), chain.segments()));
  }
  CLEAVE_RETURN_IF_ERROR(run(trunk, at, trunk.segments()));
  std::vector<NamedTensor> outputs;
  for (const TensorSpec& output : info_.outputs) {
    outputs.push_back({output.name, std::move(by_name[output.name])});
  }
  return outputs;
}

}  // namespace cleave
