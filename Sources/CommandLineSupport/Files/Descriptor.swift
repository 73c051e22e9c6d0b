import Foundation

/// Writing to file descriptors.
package enum Descriptor {
    /// Writes all bytes, however often the system has to be asked. Blocks.
    ///
    /// - Returns: whether it worked; `errno` says why not.
    package static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let written = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if written >= 0 {
                    rest = rest.dropFirst(written)
                } else if errno == EAGAIN {
                    // A terminal that another program has made non-blocking.
                    var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&request, 1, -1)
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }
}
