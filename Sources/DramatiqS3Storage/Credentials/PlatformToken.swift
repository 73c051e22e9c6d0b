import Dramatiq
import Foundation

/// A token that a platform gives to a program for who has its credentials.
enum PlatformToken {
    private static let maxSize = 16_384

    /// Reads the token of a file, which platforms replace now and then.
    ///
    /// - Parameter variable: has the file's path.
    /// - Throws: ``S3CredentialsError``, `CancellationError`.
    static func read(_ path: String, of variable: String) async throws -> String {
        let bytes = try await BlockingThreads(count: 1).run { _ throws(S3CredentialsError) in
            do {
                let handle = try FileHandle(forReadingFrom: URL(filePath: path))
                defer { try? handle.close() }
                return try handle.read(upToCount: maxSize + 1) ?? Data()
            } catch {
                throw S3CredentialsError("The file of \(variable) can't be read", isTransient: true)
            }
        }
        return try check(
            String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines), of: variable)
    }

    /// A token becomes a part of a request, so it must not begin another one.
    static func check(_ token: String, of variable: String) throws(S3CredentialsError) -> String {
        guard !token.isEmpty, token.utf8.count <= maxSize, token.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else {
            throw S3CredentialsError("The token of \(variable) is empty or can't be sent")
        }
        return token
    }
}
