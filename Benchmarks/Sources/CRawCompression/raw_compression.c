#include "raw_compression.h"

#include <lz4frame.h>
#include <stdlib.h>
#include <zlib.h>

struct raw_compression {
    LZ4F_cctx *lz4_compression;
    LZ4F_dctx *lz4_decompression;
    z_stream deflating;
    z_stream inflating;
    int lz4_level;
    size_t capacity;
    unsigned char *buffer;
};

raw_compression *raw_compression_make(int lz4_level, int zlib_level, size_t largest) {
    raw_compression *raw = calloc(1, sizeof *raw);
    if (raw == NULL) return NULL;
    raw->lz4_level = lz4_level;
    raw->capacity = largest * 2 + 1024;
    raw->buffer = malloc(raw->capacity);
    if (raw->buffer == NULL
        || LZ4F_isError(LZ4F_createCompressionContext(&raw->lz4_compression, LZ4F_VERSION))
        || LZ4F_isError(LZ4F_createDecompressionContext(&raw->lz4_decompression, LZ4F_VERSION))
        || deflateInit(&raw->deflating, zlib_level) != Z_OK || inflateInit(&raw->inflating) != Z_OK) {
        return NULL;
    }
    return raw;
}

size_t raw_lz4_compress(raw_compression *raw, const void *bytes, size_t count) {
    LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
    preferences.frameInfo.blockSizeID = count <= 1 << 16 ? LZ4F_max64KB : LZ4F_max256KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    preferences.frameInfo.contentSize = count;
    preferences.compressionLevel = raw->lz4_level;
    preferences.autoFlush = 1;
    size_t used = LZ4F_compressBegin(raw->lz4_compression, raw->buffer, raw->capacity, &preferences);
    if (LZ4F_isError(used)) return 0;
    size_t size = LZ4F_compressUpdate(
        raw->lz4_compression, raw->buffer + used, raw->capacity - used, bytes, count, NULL);
    if (LZ4F_isError(size)) return 0;
    used += size;
    size = LZ4F_compressEnd(raw->lz4_compression, raw->buffer + used, raw->capacity - used, NULL);
    return LZ4F_isError(size) ? 0 : used + size;
}

size_t raw_lz4_decompress(raw_compression *raw, const void *bytes, size_t count) {
    size_t size = raw->capacity;
    size_t left = LZ4F_decompress(raw->lz4_decompression, raw->buffer, &size, bytes, &count, NULL);
    if (left != 0) {
        LZ4F_resetDecompressionContext(raw->lz4_decompression);
        return 0;
    }
    return size;
}

size_t raw_zlib_compress(raw_compression *raw, const void *bytes, size_t count) {
    z_stream *stream = &raw->deflating;
    if (deflateReset(stream) != Z_OK) return 0;
    stream->next_in = (unsigned char *)bytes;
    stream->avail_in = (unsigned)count;
    stream->next_out = raw->buffer;
    stream->avail_out = (unsigned)raw->capacity;
    return deflate(stream, Z_FINISH) == Z_STREAM_END ? raw->capacity - stream->avail_out : 0;
}

size_t raw_zlib_decompress(raw_compression *raw, const void *bytes, size_t count) {
    z_stream *stream = &raw->inflating;
    if (inflateReset(stream) != Z_OK) return 0;
    stream->next_in = (unsigned char *)bytes;
    stream->avail_in = (unsigned)count;
    stream->next_out = raw->buffer;
    stream->avail_out = (unsigned)raw->capacity;
    return inflate(stream, Z_FINISH) == Z_STREAM_END ? raw->capacity - stream->avail_out : 0;
}
