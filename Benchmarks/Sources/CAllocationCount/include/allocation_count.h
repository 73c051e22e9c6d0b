#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Whether allocations are counted on this platform: with glibc they are.
bool allocation_count_is_available(void);

/// How many blocks all threads have asked malloc and its kin for since the process started.
uint64_t allocation_count(void);
