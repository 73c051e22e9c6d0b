import Crypto
import Dramatiq
public import DramatiqWorkflow

extension WorkflowStoreOperations {
    /// Reads all contents and checks that they are what was stored. A content that is not named by its digest, since
    /// version 1 of this package has stored it, can only be checked for being JSON.
    ///
    /// - Throws: as `contents(after:)`, and `CancellationError`. What is wrong with contents is in the report.
    public func verify() async throws -> VerificationReport {
        var report = VerificationReport()
        try await forEachContent { content in
            guard let bytes = try await self.content(named: content.name) else { return false }
            try Self.check(bytes, named: content.name)
            return true
        } _: { content, isThere in
            if isThere { report.addIntact(content.size) }
        } failed: {
            report.add($0)
        }
        return report
    }

    /// - Throws: `StorageFailure` for a content that is not what its name says.
    static func check(_ content: [UInt8], named name: String) throws(StorageFailure) {
        if let name = ContentName(name) {
            guard ContentName(digest: SHA256.hash(data: content)) == name else {
                throw StorageFailure(place: name.text, code: "corrupt", reason: "The content is not what was stored")
            }
        } else {
            do {
                _ = try JSONValue(parsing: content)
            } catch {
                throw StorageFailure(place: name, code: "corrupt", reason: "The content is no JSON: \(error)")
            }
        }
    }
}
