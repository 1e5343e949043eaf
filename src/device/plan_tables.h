#ifndef CLEAVE_DEVICE_PLAN_TABLES_H_
#define CLEAVE_DEVICE_PLAN_TABLES_H_

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "device/plan_table.h"
#include "model/input_shapes.h"

namespace cleave {

// A cache of plan tables by what they are made for. A table is made anew when the edge's offer
// changes, or when what runs have shown of these shapes, the costs of encoding or the size of
// pictures have moved. Thread-compatible;
// `model` must outlive it.
class PlanTables {
 public:
  explicit PlanTables(const LocalModel& model) : model_(model) {}

  std::shared_ptr<const PlanTable> Get(const std::shared_ptr<const EdgeOffer>& offer,
                                       const PlanTableTerms& terms);

 private:
  struct Cached {
    std::shared_ptr<const EdgeOffer> offer;
    PlanTableTerms terms;
    std::shared_ptr<const PlanTable> table;
  };
  struct Key {
    InputShapes shapes;
    bool pictures = false;
    bool past_first_exit = false;
    bool operator<(const Key& other) const {
      return std::tie(shapes, pictures, past_first_exit) <
             std::tie(other.shapes, other.pictures, other.past_first_exit);
    }
  };

  static bool Fresh(const Cached& cached, const std::shared_ptr<const EdgeOffer>& offer,
                    const PlanTableTerms& terms);

  const LocalModel& model_;
  std::map<Key, Cached> tables_;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_PLAN_TABLES_H_
