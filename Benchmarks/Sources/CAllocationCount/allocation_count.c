// Counts allocations where they happen: an executable's own `malloc` comes before glibc's for every library that it
// loads, Swift's runtime included. Each call adds one to a counter of its thread and hands over to glibc.

#include "allocation_count.h"

#include <stddef.h>

#if defined(__GLIBC__)

#include <errno.h>
#include <stdatomic.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

// A thread takes a slot once; beyond the last one, threads share, which atomics allow.
#define SLOTS 256

static struct {
    _Alignas(64) atomic_uint_fast64_t count;
} slots[SLOTS];

static atomic_uint next_slot;
static _Thread_local unsigned slot;

static inline void count_one(void) {
    if (slot == 0) slot = 1 + atomic_fetch_add_explicit(&next_slot, 1, memory_order_relaxed) % SLOTS;
    // Not an atomic addition: each slot has one writer in practice, and a lost count would only flatter nobody.
    atomic_uint_fast64_t *count = &slots[slot - 1].count;
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    count_one();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    count_one();
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    count_one();
    return __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count_one();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    count_one();
    void *result = __libc_memalign(alignment, size);
    if (result == NULL) return ENOMEM;
    *block = result;
    return 0;
}

bool allocation_count_is_available(void) { return true; }

uint64_t allocation_count(void) {
    uint64_t sum = 0;
    for (unsigned index = 0; index < SLOTS; index++) {
        sum += atomic_load_explicit(&slots[index].count, memory_order_relaxed);
    }
    return sum;
}

#else

bool allocation_count_is_available(void) { return false; }

uint64_t allocation_count(void) { return 0; }

#endif
