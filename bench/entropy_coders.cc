#include "entropy_coders.h"

extern "C" {
#include <htscodecs/htscodecs.h>
}
#include <htscodecs/rANS_static.h>
#include <htscodecs/rANS_static4x16.h>
#include <zstd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

std::size_t SizeOrNone(std::size_t size) { return ZSTD_isError(size) != 0 ? 0 : size; }

EntropyCoder KeptZstd(int level) {
  const std::shared_ptr<ZSTD_CCtx> encoder(ZSTD_createCCtx(), ZSTD_freeCCtx);
  const std::shared_ptr<ZSTD_DCtx> decoder(ZSTD_createDCtx(), ZSTD_freeDCtx);
  return {absl::StrCat("zstd ", level), ZSTD_compressBound,
          [encoder, level](absl::string_view in, std::string& out) {
            return SizeOrNone(ZSTD_compressCCtx(encoder.get(), out.data(), out.size(), in.data(),
                                                in.size(), level));
          },
          [decoder](absl::string_view in, std::string& out) {
            return ZSTD_decompressDCtx(decoder.get(), out.data(), out.size(), in.data(),
                                       in.size()) == out.size();
          }};
}

// The library only reads these bytes, but its signature asks for writable ones.
unsigned char* Bytes(absl::string_view in) {
  return const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(in.data()));
}

unsigned char* Bytes(std::string& out) { return reinterpret_cast<unsigned char*>(out.data()); }

EntropyCoder Rans4x16(const std::string& name, int order) {
  return {name,
          [order](std::size_t size) {
            return std::size_t{rans_compress_bound_4x16(static_cast<unsigned>(size), order)};
          },
          [order](absl::string_view in, std::string& out) -> std::size_t {
            auto size = static_cast<unsigned>(out.size());
            const auto in_size = static_cast<unsigned>(in.size());
            if (rans_compress_to_4x16(Bytes(in), in_size, Bytes(out), &size, order) == nullptr) {
              return 0;
            }
            return size;
          },
          [](absl::string_view in, std::string& out) {
            auto size = static_cast<unsigned>(out.size());
            const auto in_size = static_cast<unsigned>(in.size());
            return rans_uncompress_to_4x16(Bytes(in), in_size, Bytes(out), &size) != nullptr &&
                   size == out.size();
          }};
}

using Allocated = std::unique_ptr<unsigned char, decltype(&std::free)>;

EntropyCoder Rans4x8(const std::string& name, int order) {
  return {name, [](std::size_t size) { return 2 * size + std::size_t{257} * 257 * 3 + 32; },
          [order](absl::string_view in, std::string& out) -> std::size_t {
            unsigned size = 0;
            const Allocated coded(
                rans_compress(Bytes(in), static_cast<unsigned>(in.size()), &size, order),
                std::free);
            if (coded == nullptr || size > out.size()) return 0;
            std::memcpy(out.data(), coded.get(), size);
            return size;
          },
          [](absl::string_view in, std::string& out) {
            unsigned size = 0;
            const Allocated decoded(
                rans_uncompress(Bytes(in), static_cast<unsigned>(in.size()), &size), std::free);
            if (decoded == nullptr || size != out.size()) return false;
            std::memcpy(out.data(), decoded.get(), size);
            return true;
          }};
}

void AddRans(std::vector<EntropyCoder>& coders) {
  constexpr int kPackAndRuns = RANS_ORDER_PACK | RANS_ORDER_RLE;
  coders.push_back(Rans4x16("rans16 0", 0));
  coders.push_back(Rans4x16("rans16 1", 1));
  coders.push_back(Rans4x16("rans16 0 pk rle", kPackAndRuns));
  coders.push_back(Rans4x16("rans16 1 pk rle", kPackAndRuns | 1));
  coders.push_back(Rans4x8("rans8 0", 0));
  coders.push_back(Rans4x8("rans8 1", 1));
}

}  // namespace

EntropyCoder ZstdAlone() {
  return {"zstd 1 alone", ZSTD_compressBound,
          [](absl::string_view in, std::string& out) {
            return SizeOrNone(ZSTD_compress(out.data(), out.size(), in.data(), in.size(), 1));
          },
          [](absl::string_view in, std::string& out) {
            return ZSTD_decompress(out.data(), out.size(), in.data(), in.size()) == out.size();
          }};
}

std::vector<EntropyCoder> EntropyCoders() {
  std::vector<EntropyCoder> coders = {KeptZstd(1), KeptZstd(3)};
  AddRans(coders);
  return coders;
}

std::string EntropyCodersNote() { return absl::StrCat("libhtscodecs ", htscodecs_version()); }

}  // namespace cleave
