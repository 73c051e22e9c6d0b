#include "raw_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_all(int file, const unsigned char *bytes, size_t count) {
    while (count > 0) {
        ssize_t length = write(file, bytes, count);
        if (length < 0) return -1;
        bytes += length;
        count -= (size_t)length;
    }
    return 0;
}

static int synchronize(int file) {
#ifdef __APPLE__
    return fcntl(file, F_FULLFSYNC);
#else
    return fsync(file);
#endif
}

long raw_files_store(int directory, unsigned char *bytes, size_t count, long first, long files, int synced,
                     int directory_synced) {
    for (long number = first; number < first + files; number++) {
        char name[32];
        snprintf(name, sizeof name, "%ld", number);
        memcpy(bytes, &number, sizeof number);
        int file = openat(directory, "temporary", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0) return number - first;
        int failed = write_all(file, bytes, count) || (synced && synchronize(file));
        if (close(file) || failed || renameat(directory, "temporary", directory, name)) return number - first;
        if (directory_synced && synchronize(directory)) return number - first;
    }
    return files;
}

long raw_files_load(int directory, unsigned char *buffer, size_t count, long first, long files) {
    long whole = 0;
    for (long number = first; number < first + files; number++) {
        char name[32];
        snprintf(name, sizeof name, "%ld", number);
        int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
        if (file < 0) return whole;
        size_t place = 0;
        ssize_t length;
        while (place < count && (length = read(file, buffer + place, count - place)) > 0) place += (size_t)length;
        close(file);
        if (place == count) whole++;
    }
    return whole;
}
