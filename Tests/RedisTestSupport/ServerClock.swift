import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The clock of a server that can be set, as an administrator or NTP sets it: what the server hears of the time of day is
/// shifted, and its clock that only goes forward is not.
///
/// A library that is loaded before the server's own takes the place of the functions that tell the time, and looks into a
/// file for by how much. It is made by the compiler that comes with Swift, once for all tests.
public struct ServerClock: Sendable {
    private let file: URL

    /// A clock that is right.
    init(in directory: URL) throws {
        file = directory.appending(path: "clock")
        try set(.zero)
    }

    /// What a server's command begins with so that it has this clock.
    func command() throws -> [String] {
        ["env", "LD_PRELOAD=\(try Self.library.get())", "CLOCK_OFFSET=\(file.path)"]
    }

    /// From now on the server's time is another one.
    ///
    /// - Parameter offset: by how much it differs from the right one.
    public func set(_ offset: Duration) throws {
        // In its place: the server has mapped the file.
        let descriptor = open(file.path, O_WRONLY | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(descriptor) }
        var seconds = offset.components.seconds
        guard pwrite(descriptor, &seconds, MemoryLayout.size(ofValue: seconds), 0) == 8 else {
            throw CocoaError(.fileWriteUnknown)
        }
    }

    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static int64_t offset(void) {
          static volatile int64_t *file = 0;
          if (!file) {
            const char *path = getenv("CLOCK_OFFSET");
            int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (descriptor < 0) return 0;
            void *map = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, descriptor, 0);
            close(descriptor);
            if (map == MAP_FAILED) return 0;
            file = map;
          }
          return *file;
        }

        int clock_gettime(clockid_t clock, struct timespec *result) {
          int code = (int)syscall(SYS_clock_gettime, clock, result);
          if (!code && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) result->tv_sec += offset();
          return code;
        }

        int gettimeofday(struct timeval *restrict result, void *restrict zone) {
          struct timespec now;
          int code = clock_gettime(CLOCK_REALTIME, &now);
          if (result) { result->tv_sec = now.tv_sec; result->tv_usec = now.tv_nsec / 1000; }
          return code;
        }

        time_t time(time_t *result) {
          struct timespec now;
          clock_gettime(CLOCK_REALTIME, &now);
          if (result) *result = now.tv_sec;
          return now.tv_sec;
        }
        """

    /// The library's path. It stays until the machine's temporary files go.
    private static let library = Result {
        let directory = FileManager.default.temporaryDirectory.appending(path: "dramatiq-clock-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let source = directory.appending(path: "clock.c")
        try Data(Self.source.utf8).write(to: source)
        let library = directory.appending(path: "clock.so")
        for compiler in ["clang", "cc"] {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [compiler, "-shared", "-fPIC", "-O1", "-o", library.path, source.path]
            try process.run()
            process.waitUntilExit()
            if process.terminationStatus == 0 { return library.path }
        }
        throw NoCompiler()
    }

    public struct NoCompiler: Error {}
}
