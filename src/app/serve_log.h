#ifndef CLEAVE_APP_SERVE_LOG_H_
#define CLEAVE_APP_SERVE_LOG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "cleave/edge.h"

namespace cleave::app {

struct ServeLogOptions {
  enum class Form : std::uint8_t { kText, kJson };  // Lines for people, or one JSON object a line.
  enum class Detail : std::uint8_t {
    kEventsOnly,    // The text form leaves out requests that were answered or refused.
    kEveryRequest,  // Every request has its line; JSON always has.
  };
  Form form = Form::kText;
  Detail detail = Detail::kEventsOnly;
};

// Logs what an edge does on stderr. Names and errors may come from a peer, so none may take more
// than its part of one line. Thread-safe.
class ServeLog {
 public:
  explicit ServeLog(const ServeLogOptions& options);
  ~ServeLog();
  ServeLog(const ServeLog&) = delete;
  ServeLog& operator=(const ServeLog&) = delete;

  void Event(const EdgeEvent& event);
  // Tells that `done` of the `total` segments of a model are loaded.
  void Progress(const std::string& model, int done, int total);
  // Tells something that happened to the server itself; `event` names it in JSON.
  void Plain(const std::string& event, const std::string& text);

 private:
  struct Logger;
  const ServeLogOptions options_;
  const std::unique_ptr<Logger> logger_;
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_SERVE_LOG_H_
