#include "codec/jpeg_library.h"

namespace cleave {
namespace {

[[noreturn]] void Leave(j_common_ptr info) {
  auto* const errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->code = info->err->msg_code;
  info->err->format_message(info, errors->message);
  std::longjmp(errors->out, 1);
}

// A fault of the data that costs no pixel is no error.
bool IsHarmless(int code) {
  switch (code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
      return true;
    default:
      return false;
  }
}

void TakeMessage(j_common_ptr info, int level) {
  constexpr int kWarning = -1;
  if (level == kWarning && !IsHarmless(info->err->msg_code)) Leave(info);
}

}  // namespace

jpeg_error_mgr* JpegErrors::Install() {
  jpeg_std_error(&manager);
  manager.error_exit = Leave;
  manager.emit_message = TakeMessage;
  return &manager;
}

}  // namespace cleave
