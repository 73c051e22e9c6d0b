// The C libraries as a C program would use them, with its memory at hand: what the encoders are measured against.

#ifndef RAW_COMPRESSION_H
#define RAW_COMPRESSION_H

#include <stddef.h>

/// A state that is used again for every call, and a buffer for the result.
typedef struct raw_compression raw_compression;

/// For contents of up to `largest` bytes, with the level and the settings that the encoders use.
raw_compression *raw_compression_make(int lz4_level, int zlib_level, size_t largest);

/// Each returns the size of the result, 0 after an error.
size_t raw_lz4_compress(raw_compression *raw, const void *bytes, size_t count);
size_t raw_lz4_decompress(raw_compression *raw, const void *bytes, size_t count);
size_t raw_zlib_compress(raw_compression *raw, const void *bytes, size_t count);
size_t raw_zlib_decompress(raw_compression *raw, const void *bytes, size_t count);

#endif
