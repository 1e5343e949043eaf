#include "cleave/edge.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "bindings.h"
#include "gil.h"
#include "interruptible.h"
#include "status_error.h"

namespace cleave::python {
namespace {

namespace nb = nanobind;

constexpr std::size_t kMostEvents = 4096;

// What happened at the edge since it was last asked for; the oldest gives way. The server's threads
// write here, so that none of them ever needs Python. Thread-safe.
class EventQueue {
 public:
  void Add(const EdgeEvent& event) {
    const std::lock_guard lock(mutex_);
    if (events_.size() == kMostEvents) events_.pop_front();
    events_.push_back(event);
  }
  std::deque<EdgeEvent> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::deque<EdgeEvent> events_;
};

nb::dict EventFields(const EdgeEvent& event) {
  nb::dict fields;
  fields["kind"] = std::string(EdgeEventKindName(event.kind));
  fields["model"] = TextFromOutside(event.model);
  fields["exit"] = OrNone(event.exit);
  fields["cut"] = event.cut;
  fields["batch"] = event.batch;
  fields["queue_us"] = event.queue_us;
  fields["compute_us"] = event.compute_us;
  fields["error"] = TextFromOutside(event.error);
  return fields;
}

void BindOptions(nb::module_& module) {
  nb::class_<EdgeOptions>(module, "EdgeOptions", "What an edge serves and how.")
      .def(nb::init<>())
      .def_rw("models", &EdgeOptions::models,
              "Files, or folders whose *.onnx files are all served.")
      .def_rw("listen", &EdgeOptions::listen, "HOST:PORT; port 0 takes any free one.")
      .def_rw("shapes", &EdgeOptions::shapes,
              "By input: the shape at which models that leave it free are loaded.")
      .def_rw("cuts", &EdgeOptions::cuts,
              "The cuts at which tails can start: frontier, all or a number.")
      .def_rw("threads", &EdgeOptions::threads, "Threads of each run.")
      .def_rw("workers", &EdgeOptions::workers, "Runs that are under way at the same time.")
      .def_rw("queue_capacity", &EdgeOptions::queue_capacity,
              "Requests that may wait; one more is refused.")
      .def_rw("weights", &EdgeOptions::weights,
              "By client address: its weight in the share of the workers' time, else 1.")
      .def_rw("provider", &EdgeOptions::provider,
              "ONNX Runtime's execution provider: NAME[:key=value,...].")
      .def_rw("max_message_bytes", &EdgeOptions::max_message_bytes, "A longer request is refused.")
      .def_rw("max_batch", &EdgeOptions::max_batch, "A request of a larger batch is refused.")
      .def_rw("max_calls", &EdgeOptions::max_calls,
              "Calls that are in flight at the same time, of whatever kind.")
      .def_rw("max_call_bytes", &EdgeOptions::max_call_bytes,
              "Bytes that calls in flight may hold together; 0: eight times max_message_bytes.")
      .def_rw("message_timeout_us", &EdgeOptions::message_timeout_us,
              "The microseconds that a message has to arrive.")
      .def_rw("call_timeout_us", &EdgeOptions::call_timeout_us,
              "A call is cancelled after so many microseconds.")
      .def_rw("idle_timeout_us", &EdgeOptions::idle_timeout_us,
              "A connection without calls is closed after so many microseconds.")
      .def_rw("allow_push", &EdgeOptions::allow_push,
              "Whether devices may send models, which then run inside this process.")
      .def_rw("push_dir", &EdgeOptions::push_dir,
              "The folder where pushed files are kept; empty: the cache folder.")
      .def_rw("max_push_bytes", &EdgeOptions::max_push_bytes, "A larger file is refused.")
      .def_rw("max_pushed", &EdgeOptions::max_pushed,
              "Pushed models that are served at the same time.")
      .def_rw("max_pushed_bytes", &EdgeOptions::max_pushed_bytes,
              "The size of their files together.")
      .def_rw("drain_us", &EdgeOptions::drain_us,
              "The microseconds that requests under way get to end in at shutdown.");
}

class PythonEdge {
 public:
  explicit PythonEdge(EdgeOptions options) : events_(std::make_shared<EventQueue>()) {
    RaiseIfError(UseNetwork());
    options.on_event = [events = events_](const EdgeEvent& event) { events->Add(event); };
    absl::StatusOr<std::shared_ptr<Edge>> started =
        Interruptible([options = std::move(options)]() -> absl::StatusOr<std::shared_ptr<Edge>> {
          absl::StatusOr<std::unique_ptr<Edge>> edge = Edge::Start(options);
          if (!edge.ok()) return edge.status();
          return std::shared_ptr<Edge>(*std::move(edge));
        });
    edge_ = ValueOrRaise(std::move(started));
    port_ = edge_->port();
  }

  ~PythonEdge() {
    if (guard_.forked()) {
      NeverDestroy(std::move(edge_));
    } else {
      const ReleasedGil released;
      edge_.reset();
    }
  }
  PythonEdge(const PythonEdge&) = delete;
  PythonEdge& operator=(const PythonEdge&) = delete;

  int port() const { return port_; }

  void Close() {
    RaiseIfError(guard_.Check("edge"));
    WaitFor([edge = edge_] { edge->Shutdown(); });
  }

  nb::list Events() {
    nb::list list;
    for (const EdgeEvent& event : events_->Take()) list.append(EventFields(event));
    return list;
  }

 private:
  const ForkGuard guard_;
  const std::shared_ptr<EventQueue> events_;
  std::shared_ptr<Edge> edge_;
  int port_ = 0;
};

}  // namespace

void BindEdge(nb::module_& module) {
  BindOptions(module);
  nb::class_<PythonEdge>(module, "Edge", "An edge's server; cleave.Edge wraps it.")
      .def(nb::init<EdgeOptions>(), nb::arg("options"))
      .def_prop_ro("port", &PythonEdge::port, "The port that the server listens on.")
      .def("close", &PythonEdge::Close, "Take no more requests and let those under way end.")
      .def("events", &PythonEdge::Events,
           "Return the fields of what happened since the last call, 4096 at most.");
}

}  // namespace cleave::python
