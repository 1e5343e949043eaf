#ifndef CLEAVE_EXPERIMENTS_DSC_ENCODINGS_H_
#define CLEAVE_EXPERIMENTS_DSC_ENCODINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "experiments/dsc/results.h"
#include "experiments/rig/worker.h"

namespace cleave::experiments::dsc {

// Returns a smooth RGB picture, height x width x 3 bytes, with detail at every scale and less of it
// the finer it is, as photographs have; the same at each call. REQUIRES: sides of at least 1.
std::vector<std::uint8_t> MadeUpPicture(int height, int width);

// Returns what sending a picture's file in place of the model's input means. `given_bytes` is the
// size of the file; 0: that of MadeUpPicture as a JPEG of quality 90. Decoding is measured on that
// JPEG here and now. A model whose inputs are no picture gives facts without bytes and a note that
// says why.
PictureFacts FindPicture(const std::vector<TensorSpec>& inputs, const std::string& model_path,
                         std::int64_t given_bytes);

// For each rate and encoding the placement with the least predicted time, out of `rows` as
// Worker::Explain gives them. An encoding that no cut can be sent with is left out, and so is jpeg
// without a picture.
EncodingForecast ForecastEncodings(const std::vector<rig::Forecast>& rows,
                                   std::vector<double> rates_bps, std::int64_t batch,
                                   const PictureFacts& picture);

// Returns whether `forecast` has all these rates and is for such a picture (as FindPicture takes
// its size).
bool Covers(const EncodingForecast& forecast, const std::vector<double>& rates_bps,
            std::int64_t given_bytes);

// Returns the forecast of a worker that sleeps and is put to sleep again, at the edge's present
// load.
absl::StatusOr<EncodingForecast> MeasureEncodings(rig::Worker& worker,
                                                  std::vector<double> rates_bps, std::int64_t batch,
                                                  const PictureFacts& picture);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_ENCODINGS_H_
