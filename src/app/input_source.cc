#include "app/input_source.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "app/video_source.h"
#include "codec/image_reader.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "model/graph.h"
#include "model/input_shapes.h"
#include "runtime/chain.h"
#include "video/frame_reader.h"

namespace cleave::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeptBytes = std::size_t{256} << 20;

bool IsNpy(const std::string& path) { return absl::EndsWith(absl::AsciiStrToLower(path), ".npy"); }

absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator each(folder, error), end; !error && each != end;
       each.increment(error)) {
    const std::string path = each->path().string();
    if (IsNpy(path) || HasImageEnding(path)) files.push_back(path);
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be listed"));
  if (files.empty()) {
    return FieldError(folder, "no input",
                      absl::StrCat("at least one ", kImageEndings, " file, or one of .npy"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<std::vector<std::string>> AllFiles(const std::vector<std::string>& sources) {
  std::vector<std::string> files;
  for (const std::string& source : sources) {
    std::error_code error;
    const fs::file_status status = fs::status(source, error);
    if (!fs::exists(status)) return absl::NotFoundError(absl::StrCat(source, ": no such file"));
    if (fs::is_directory(status)) {
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> inside, FilesOf(source));
      files.insert(files.end(), inside.begin(), inside.end());
    } else if (IsNpy(source) || HasImageEnding(source)) {
      files.push_back(source);
    } else {
      return FieldError(source, "an unknown kind of file",
                        absl::StrCat(kImageEndings, ", or .npy"));
    }
  }
  return files;
}

absl::StatusOr<Tensor> WithShape(const Tensor& tensor, Shape shape) {
  const auto owner = std::make_shared<const Tensor>(tensor);
  return Tensor::Wrap(tensor.dtype(), std::move(shape), tensor.data(), tensor.size_bytes(), owner);
}

// The rows of a tensor as items of batch size 1, or the tensor itself where the batch is not the
// first dimension.
absl::StatusOr<std::vector<Tensor>> ItemsOf(const Tensor& whole, std::size_t rank,
                                            const std::optional<int>& batch_axis,
                                            const std::string& origin) {
  Shape shape = whole.shape();
  if (batch_axis != 0) {
    if (shape.size() == rank) return std::vector<Tensor>{whole};
    return FieldError(origin, absl::StrCat("shape ", ShapeString(shape)),
                      absl::StrCat(rank, " dimensions"));
  }
  if (shape.size() + 1 == rank) shape.insert(shape.begin(), 1);
  if (shape.size() != rank || shape.empty() || shape[0] < 1) {
    return FieldError(
        origin, absl::StrCat("shape ", ShapeString(whole.shape())),
        absl::StrCat(rank, " dimensions, or ", rank - 1, " for one item without batch"));
  }
  const std::int64_t rows = shape[0];
  CLEAVE_ASSIGN_OR_RETURN(const Tensor batch, WithShape(whole, std::move(shape)));
  return batch.Split(rows);
}

class FixedInputs final : public InputSource {
 public:
  explicit FixedInputs(std::vector<NamedTensor> tensors) : tensors_(std::move(tensors)) {}
  absl::StatusOr<std::vector<NamedTensor>> Next() override { return tensors_; }
  std::optional<std::int64_t> batches() const override { return 1; }

 private:
  const std::vector<NamedTensor> tensors_;
};

class FileInputs final : public InputSource {
 public:
  FileInputs(TensorSpec input, std::vector<std::string> files, Preprocessing how,
             std::int64_t batch, std::optional<int> batch_axis)
      : input_(std::move(input)),
        files_(std::move(files)),
        how_(how),
        batch_(batch),
        batch_axis_(batch_axis) {}

  // The items of .npy files are counted by reading them; images are one each.
  absl::Status CountItems() {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      std::size_t rows = 1;
      if (IsNpy(files_[i])) {
        CLEAVE_ASSIGN_OR_RETURN(const std::vector<Tensor> items, Load(files_[i]));
        rows = items.size();
      }
      for (std::size_t row = 0; row < rows; ++row) places_.push_back({i, row, rows});
    }
    kept_.resize(places_.size());
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<NamedTensor>> Next() override {
    std::vector<Tensor> items;
    names_.clear();
    for (std::int64_t i = 0; i < batch_; ++i) {
      // A file that cannot be read had its turn, too.
      const std::size_t index = std::exchange(next_, (next_ + 1) % places_.size());
      CLEAVE_ASSIGN_OR_RETURN(Tensor item, Item(index));
      items.push_back(std::move(item));
      names_.push_back(Name(places_[index]));
    }
    if (batch_ == 1) return std::vector<NamedTensor>{{input_.name, std::move(items.front())}};
    CLEAVE_ASSIGN_OR_RETURN(Tensor stacked, StackBatch(items));
    return std::vector<NamedTensor>{{input_.name, std::move(stacked)}};
  }

  bool pictures() const override {
    return std::all_of(files_.begin(), files_.end(), HasImageEnding);
  }

  absl::StatusOr<std::vector<PictureFile>> NextPictures() override {
    if (!pictures()) return InputSource::NextPictures();
    std::vector<PictureFile> batch;
    names_.clear();
    for (std::int64_t i = 0; i < batch_; ++i) {
      const std::size_t index = places_[next_].file;
      CLEAVE_ASSIGN_OR_RETURN(std::string bytes, File(index));
      batch.push_back({files_[index], std::move(bytes)});
      names_.push_back(files_[index]);
      next_ = (next_ + 1) % places_.size();
    }
    return batch;
  }

  std::vector<std::string> names() const override { return names_; }

  std::optional<std::int64_t> batches() const override {
    return (static_cast<std::int64_t>(places_.size()) + batch_ - 1) / batch_;
  }

 private:
  struct Place {
    std::size_t file = 0;
    std::size_t row = 0;
    std::size_t rows = 1;  // Of the file.
  };

  std::string Name(const Place& place) const {
    if (place.rows == 1) return files_[place.file];
    return absl::StrCat(files_[place.file], "[", place.row, "]");
  }

  absl::StatusOr<std::vector<Tensor>> Load(const std::string& path) const {
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    if (IsNpy(path)) {
      CLEAVE_ASSIGN_OR_RETURN(const Tensor whole, NpyToTensor(bytes, path));
      return ItemsOf(whole, input_.shape.size(), batch_axis_, path);
    }
    CLEAVE_ASSIGN_OR_RETURN(Tensor image, ImageToTensor(bytes, how_, path));
    return std::vector<Tensor>{std::move(image)};
  }

  absl::StatusOr<Tensor> Item(std::size_t index) {
    if (kept_[index]) return *kept_[index];
    const Place place = places_[index];
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Tensor> items, Load(files_[place.file]));
    if (place.row >= items.size()) {
      return FieldError(files_[place.file], absl::StrCat(items.size(), " rows"),
                        absl::StrCat("more than ", place.row, " as it had before"));
    }
    const Tensor& item = items[place.row];
    if (kept_bytes_ + item.size_bytes() <= kKeptBytes) {
      kept_bytes_ += item.size_bytes();
      kept_[index] = item;
    }
    return item;
  }

  absl::StatusOr<std::string> File(std::size_t index) {
    const auto known = kept_files_.find(index);
    if (known != kept_files_.end()) return known->second;
    CLEAVE_ASSIGN_OR_RETURN(std::string bytes, ReadFile(files_[index]));
    if (kept_bytes_ + bytes.size() <= kKeptBytes) {
      kept_bytes_ += bytes.size();
      kept_files_[index] = bytes;
    }
    return bytes;
  }

  const TensorSpec input_;
  const std::vector<std::string> files_;
  const Preprocessing how_;
  const std::int64_t batch_;
  const std::optional<int> batch_axis_;
  std::vector<Place> places_;
  std::vector<std::string> names_;
  std::vector<std::optional<Tensor>> kept_;
  std::map<std::size_t, std::string> kept_files_;
  std::size_t kept_bytes_ = 0;
  std::size_t next_ = 0;
};

// The inputs with every dimension known. InvalidArgument where one is neither told nor the batch.
absl::StatusOr<std::vector<TensorSpec>> Resolved(const std::vector<TensorSpec>& inputs,
                                                 const InputOptions& options) {
  if (!options.resolved.empty()) return options.resolved;
  std::vector<TensorSpec> resolved = inputs;
  for (TensorSpec& spec : resolved) {
    if (!spec.shape.empty() && spec.shape[0] < 0) spec.shape[0] = options.batch;
    if (ElementCount(spec.shape).ok()) continue;
    return FieldError(absl::StrCat("random input '", spec.name, "'"),
                      absl::StrCat("shape ", ShapeString(spec.shape)),
                      "every dimension but the batch to be known (give NAME=FILE.npy)");
  }
  return resolved;
}

// What the model tells of the values of inputs that are no plain numbers.
absl::StatusOr<ValueHints> HintsFor(const std::vector<TensorSpec>& inputs,
                                    const std::string& model_path) {
  const bool asked = std::any_of(inputs.begin(), inputs.end(), [](const TensorSpec& input) {
    return input.dtype == DataType::kString || IsInteger(input.dtype);
  });
  if (!asked || model_path.empty()) return ValueHints();
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(model_path));
  return graph->value_hints();
}

absl::StatusOr<std::unique_ptr<InputSource>> OpenRandom(const std::vector<TensorSpec>& inputs,
                                                        const InputOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<TensorSpec> specs, Resolved(inputs, options));
  CLEAVE_ASSIGN_OR_RETURN(const ValueHints hints, HintsFor(specs, options.model_path));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NamedTensor> tensors,
                          RandomInputs(specs, options.seed, hints));
  return std::make_unique<FixedInputs>(std::move(tensors));
}

// The input that `source` starts with as "NAME="; a name may hold "=" too.
const TensorSpec* NamedBy(const std::string& source, const std::vector<TensorSpec>& inputs) {
  const TensorSpec* named = nullptr;
  for (const TensorSpec& spec : inputs) {
    const bool starts = absl::StartsWith(source, absl::StrCat(spec.name, "="));
    if (starts && (named == nullptr || spec.name.size() > named->name.size())) named = &spec;
  }
  return named;
}

absl::StatusOr<std::unique_ptr<InputSource>> OpenNamed(const std::vector<TensorSpec>& inputs,
                                                       const InputOptions& options) {
  std::vector<NamedTensor> tensors;
  std::set<std::string> seen;
  for (const std::string& source : options.sources) {
    const TensorSpec* input = NamedBy(source, inputs);
    if (input == nullptr || !IsNpy(source)) {
      return FieldError(source, "no NAME=FILE.npy", "one for each input of the model");
    }
    const std::string& name = input->name;
    const std::string path = source.substr(name.size() + 1);
    if (!seen.insert(name).second) return FieldError(source, "an input given twice", "each once");
    CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor, NpyToTensor(bytes, path));
    tensors.push_back({name, std::move(tensor)});
  }
  for (const TensorSpec& spec : inputs) {
    if (!seen.contains(spec.name)) {
      return FieldError("--input", absl::StrCat("nothing for input '", spec.name, "'"),
                        "NAME=FILE.npy for each input of the model");
    }
  }
  return std::make_unique<FixedInputs>(std::move(tensors));
}

}  // namespace

std::map<std::string, Shape> ShapesOfNamedInputs(const std::vector<std::string>& sources) {
  std::map<std::string, Shape> shapes;
  for (const std::string& source : sources) {
    // A name may hold "=", and so may a path: the file that there is tells them apart.
    for (std::size_t sign = source.find('='); sign != std::string::npos;
         sign = source.find('=', sign + 1)) {
      const std::string path = source.substr(sign + 1);
      std::error_code unknown;
      if (!IsNpy(path) || !fs::exists(path, unknown)) continue;
      const absl::StatusOr<std::string> bytes = ReadFile(path);
      if (!bytes.ok()) break;
      const absl::StatusOr<Tensor> tensor = NpyToTensor(*bytes, path);
      if (tensor.ok()) shapes[source.substr(0, sign)] = tensor->shape();
      break;
    }
  }
  return shapes;
}

std::map<std::string, Shape> ShapeOfOnlyInput(const std::string& model,
                                              const std::vector<std::string>& sources,
                                              std::int64_t batch) {
  if (sources.empty() || !IsNpy(sources.front())) return {};
  const absl::StatusOr<std::string> bytes = ReadFile(sources.front());
  if (!bytes.ok()) return {};
  const absl::StatusOr<Tensor> tensor = NpyToTensor(*bytes, sources.front());
  if (!tensor.ok()) return {};
  const auto graph = Graph::Load(model);
  if (!graph.ok() || (*graph)->inputs().size() != 1) return {};
  const TensorSpec& input = (*graph)->inputs().front();
  Shape shape = tensor->shape();
  if (shape.size() + 1 == input.shape.size()) shape.insert(shape.begin(), batch);
  if (shape.size() != input.shape.size()) return {};
  if (FreeBatchAxis(**graph, 0) == 0) shape.front() = batch;
  return {{input.name, shape}};
}

absl::StatusOr<std::vector<PictureFile>> InputSource::NextPictures() {
  return absl::FailedPreconditionError("inputs: found tensors, expected pictures");
}

absl::StatusOr<std::unique_ptr<InputSource>> InputSource::Open(
    const std::vector<TensorSpec>& inputs, const InputOptions& options) {
  if (options.batch < 1) return FieldError("batch", absl::StrCat(options.batch), "at least 1");
  if (options.sources.empty()) return FieldError("--input", "nothing", "random, files or a folder");
  if (options.sources == std::vector<std::string>{"random"}) return OpenRandom(inputs, options);
  std::error_code unknown;
  const std::string& first = options.sources.front();
  const bool named = NamedBy(first, inputs) != nullptr ||
                     (absl::StrContains(first, '=') && !fs::exists(first, unknown));
  if (named) return OpenNamed(inputs, options);
  if (inputs.size() != 1) {
    return FieldError("--input", absl::StrCat("files for a model with ", inputs.size(), " inputs"),
                      "NAME=FILE.npy for each of them");
  }
  if (video::KindOf(first) != video::SourceKind::kNone) return OpenVideo(inputs.front(), options);
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> files, AllFiles(options.sources));
  const TensorSpec& picture = options.resolved.empty() ? inputs.front() : options.resolved.front();
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how,
                          PreprocessingFor(picture, options.model_path, options.flags));
  const std::optional<int> batch_axis = options.batch_axes.empty() ? 0 : options.batch_axes.front();
  if (options.batch > 1 && batch_axis != 0) {
    return FieldError("batch", options.batch,
                      absl::StrCat("1, as input '", inputs.front().name,
                                   "' has no batch as its first dimension"));
  }
  const bool images = std::any_of(files.begin(), files.end(), HasImageEnding);
  if (images) CLEAVE_RETURN_IF_ERROR(CheckTakesPictures(inputs.front(), "--input"));
  auto source = std::make_unique<FileInputs>(inputs.front(), std::move(files), how, options.batch,
                                             batch_axis);
  CLEAVE_RETURN_IF_ERROR(source->CountItems());
  return source;
}

}  // namespace cleave::app
