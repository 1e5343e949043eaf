#include "device/plan_tables.h"

#include <cmath>

namespace cleave {
namespace {

constexpr std::size_t kMostTables = 64;
// Pictures of about one size share a table.
constexpr double kSizeTolerance = 0.1;

}  // namespace

bool PlanTables::Fresh(const Cached& cached, const std::shared_ptr<const EdgeOffer>& offer,
                       const PlanTableTerms& terms) {
  if (cached.table == nullptr || cached.offer != offer) return false;
  if (terms.costs != cached.terms.costs) return false;
  if (terms.encode.DiffersFrom(cached.terms.encode)) return false;
  return std::abs(terms.picture_bytes - cached.terms.picture_bytes) <=
         kSizeTolerance * cached.terms.picture_bytes;
}

std::shared_ptr<const PlanTable> PlanTables::Get(const std::shared_ptr<const EdgeOffer>& offer,
                                                 const PlanTableTerms& terms) {
  if (tables_.size() > kMostTables) tables_.clear();
  Cached& cached = tables_[{.shapes = terms.shapes,
                            .pictures = terms.picture_bytes > 0,
                            .past_first_exit = terms.past_first_exit}];
  if (!Fresh(cached, offer, terms)) {
    cached = {offer, terms, MakePlanTable(model_, offer.get(), terms)};
  }
  return cached.table;
}

}  // namespace cleave
