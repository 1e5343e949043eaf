#ifndef CLEAVE_CODEC_CODEC_FILE_H_
#define CLEAVE_CODEC_CODEC_FILE_H_

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/fitted_file.h"
#include "codec/tensor_codec.h"

namespace cleave {

// The codecs of a model's tensors, as they lie in one file beside the model
// (docs/tensor-codec.md). Immutable; thread-safe.
class CodecFile {
 public:
  using About = FittedAbout;

  // Returns the bytes of a file with these codecs, by the names of the tensors. The same codecs
  // give the same bytes. REQUIRES: the parameters are valid.
  static std::string Write(const About& about,
                           const std::map<std::string, TensorCodecParameters>& codecs);

  // Reads the bytes of a file. InvalidArgument names `origin`, the field, what was found and what
  // was expected, before anything is allocated for a codec.
  static absl::StatusOr<std::shared_ptr<const CodecFile>> Read(absl::string_view bytes,
                                                               const std::string& origin);

  // Reads the file beside a model. NotFound if there is none; FailedPrecondition, with both
  // digests, for the codecs of another model; else as Read.
  static absl::StatusOr<std::shared_ptr<const CodecFile>> OfModel(const std::string& model_path,
                                                                  absl::string_view model_digest);
  // The path of that file: MODEL.codec for MODEL.onnx.
  static std::string PathFor(const std::string& model_path);

  const About& about() const { return about_; }
  // The SHA-256 of the file as 64 hex digits, which a request names.
  const std::string& digest() const { return digest_; }
  // The codec of a tensor; null where there is none.
  const TensorCodec* Find(absl::string_view tensor) const;
  const std::map<std::string, TensorCodec, std::less<>>& codecs() const { return codecs_; }
  // The names of the tensors that have one.
  std::set<std::string> Tensors() const;

 private:
  CodecFile() = default;

  About about_;
  std::string digest_;
  std::map<std::string, TensorCodec, std::less<>> codecs_;
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_CODEC_FILE_H_
