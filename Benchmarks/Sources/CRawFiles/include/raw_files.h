// Files written and read as a plain C program would: what the file storage is measured against.

#ifndef RAW_FILES_H
#define RAW_FILES_H

#include <stddef.h>

/// Writes files, each under a temporary name that is then changed to its number.
///
/// With `synced`, each file is on the disk before it gets its name; with `directory_synced`, its name is before the next
/// file. The first eight bytes are the file's number.
///
/// Returns how many were written.
long raw_files_store(int directory, unsigned char *bytes, size_t count, long first, long files, int synced,
                     int directory_synced);

/// Reads files whole. Returns how many had the size.
long raw_files_load(int directory, unsigned char *buffer, size_t count, long first, long files);

#endif
