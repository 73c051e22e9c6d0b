#ifndef CLZ4_SHIM_H
#define CLZ4_SHIM_H

// Only what the library promises to keep: nothing that needs LZ4F_STATIC_LINKING_ONLY.
#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>

#endif
