#include "recorder/frigate_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "core/printable.h"
#include "core/status_macros.h"

namespace cleave::recorder {
namespace {

class FrigateService {
 public:
  FrigateService(const FrigateServerOptions& options, PictureFinder& finder)
      : order_(options.order),
        model_(options.model),
        on_refused_(options.on_refused),
        finder_(finder) {}

  std::string Answer(const std::vector<absl::string_view>& frames) const {
    const absl::StatusOr<FrigateRequest> request = ParseFrigateRequest(frames, order_);
    if (!request.ok()) return Refuse(request.status());
    return std::visit([this](const auto& each) { return AnswerTo(each); }, *request);
  }

 private:
  std::string Refuse(const absl::Status& why) const {
    if (on_refused_) on_refused_(why);
    return FrigateError(why);
  }

  std::string AnswerTo(const ModelQuestion& question) const {
    const bool ready = question.name == model_;
    if (!ready && on_refused_) on_refused_(OtherModel(question.name));
    return ModelAnswer(ready);
  }

  std::string AnswerTo(const ModelOffer& offer) const {
    if (on_refused_) on_refused_(OtherModel(offer.name));
    return OfferAnswer(false);
  }

  std::string AnswerTo(const FrameRequest& frame) const {
    const absl::StatusOr<std::vector<Detection>> found = Find(frame.picture);
    return found.ok() ? FrigateAnswer(*found, frame.picture.size) : Refuse(found.status());
  }

  absl::Status OtherModel(const std::string& name) const {
    return absl::NotFoundError(absl::StrCat("model: found ", Printable(name), ", expected ", model_,
                                            ", the file that is served (\"path\" of Frigate's "
                                            "model)"));
  }

  // The pixels are the camera's; only what they become may lose some of them.
  absl::StatusOr<std::vector<Detection>> Find(const RgbImage& picture) const {
    CLEAVE_ASSIGN_OR_RETURN(const std::string file,
                            EncodePng(picture.rgb, picture.size.height, picture.size.width));
    return finder_.Find(file);
  }

  const PixelOrder order_;
  const std::string model_;
  const std::function<void(const absl::Status&)> on_refused_;
  PictureFinder& finder_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ZmqServer>> StartFrigateServer(const FrigateServerOptions& options,
                                                              PictureFinder& finder) {
  return ZmqServer::Start(options.zmq, [service = FrigateService(options, finder)](
                                           const std::vector<absl::string_view>& frames) {
    return service.Answer(frames);
  });
}

}  // namespace cleave::recorder
