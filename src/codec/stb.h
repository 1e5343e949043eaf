#ifndef CLEAVE_CODEC_STB_H_
#define CLEAVE_CODEC_STB_H_

// Internal to src/codec: the declarations of stb as this project uses them; stb.cc holds its code.

#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>
#include <stb/stb_image_write.h>

#endif  // CLEAVE_CODEC_STB_H_
