#ifndef CLEAVE_CODEC_JPEG_LIBRARY_H_
#define CLEAVE_CODEC_JPEG_LIBRARY_H_

// Internal to src/codec: libjpeg-turbo's headers, and its errors as a text and a jump.

#include <cstddef>
#include <cstdio>
// jpeglib.h needs the two above.
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>

// Other libraries of this interface make other pixels, and so does this one before 2.1.
#if !defined(LIBJPEG_TURBO_VERSION_NUMBER) || LIBJPEG_TURBO_VERSION_NUMBER < 2001000
#error "expected libjpeg-turbo from version 2.1"
#endif

namespace cleave {

// Makes libjpeg jump to `out` with an error, where it would end the program. Nothing that has a
// destructor may live between setjmp and the call of libjpeg. Must not be moved while in use.
struct JpegErrors {
  jpeg_error_mgr manager;  // The first member, since libjpeg hands out a pointer to it.
  std::jmp_buf out;
  int code = 0;  // Of jerror.h.
  char message[JMSG_LENGTH_MAX] = "";

  // Returns what libjpeg's `err` has to be.
  jpeg_error_mgr* Install();
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_JPEG_LIBRARY_H_
