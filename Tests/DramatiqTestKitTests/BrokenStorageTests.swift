import Dramatiq
import DramatiqTestKit
import DramatiqWorkflow
import Testing

/// Storages and encoders that are wrong in one way are caught by the promise that is about it.
@Suite(.timeLimit(.minutes(10))) struct BrokenStorageTests {
    private struct Subject: CallbackStorageSubject, EncoderSubject {
        var claims: Set<Claim> = [.plainJSON]
        var storage: any CallbackStorage = InlineCallbackStorage()
        var encoder: any MessageEncoder = JSONMessageEncoder()
        func makeStorage() async throws -> any CallbackStorage { storage }
        func makeEncoder() throws -> any MessageEncoder { encoder }
    }

    private struct Tampered: CallbackStorage {
        var change: @Sendable ([CompletionCallback]) -> [CompletionCallback] = { $0 }
        var trusts = false

        func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
            try await InlineCallbackStorage().store(change(callbacks))
        }
        func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
            do {
                return try await InlineCallbackStorage().retrieve(reference)
            } catch {
                if trusts { return [] }
                throw error
            }
        }
    }

    private func expectBroken(
        _ name: String, _ storage: Tampered, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        _ = try await DramatiqTestKitTests.expectBroken(
            name, of: CallbackStoragePromises.all, on: Subject(storage: storage), sourceLocation: sourceLocation)
    }

    @Test func storages() async throws {
        try await expectBroken(
            "callbacks come back as they were, outermost first", Tampered(change: { $0.reversed() }))
        try await expectBroken(
            "callbacks come back as they were, outermost first",
            Tampered(change: {
                $0.map { CompletionCallback(completionID: $0.completionID, remaining: nil, propagates: $0.propagates) }
            }))
        try await expectBroken(
            "callbacks come back as they were, outermost first",
            Tampered(change: {
                $0.map { CompletionCallback(completionID: $0.completionID, remaining: $0.remaining, propagates: true) }
            }))
        try await expectBroken("references of others and damaged ones are errors", Tampered(trusts: true))
    }

    private struct TamperedEncoder: FormatRecognizing {
        struct Other: Error {}
        var change: @Sendable (inout Message) -> Void = { _ in }
        var claimsAll = false
        var throwsOthers = false
        var isLenient = false

        func encode(_ message: Message) throws -> [UInt8] {
            var message = message
            change(&message)
            return try JSONMessageEncoder().encode(message)
        }
        func decode(_ bytes: [UInt8]) throws -> Message {
            do {
                return try JSONMessageEncoder().decode(bytes)
            } catch {
                if isLenient { return Message(queueName: "promise", actorName: "none") }
                throw throwsOthers ? Other() : error
            }
        }
        func recognizes(_ bytes: [UInt8]) -> Bool { claimsAll }
    }

    @Test func encoders() async throws {
        func expectBroken(
            _ name: String, _ encoder: TamperedEncoder, sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            _ = try await DramatiqTestKitTests.expectBroken(
                name, of: EncoderPromises.all, on: Subject(encoder: encoder), sourceLocation: sourceLocation)
        }
        try await expectBroken(
            "a message comes back as it was, to the byte of its JSON", TamperedEncoder(change: { $0.kwargs = [:] }))
        try await expectBroken("what was cut off is an error with a type", TamperedEncoder(throwsOthers: true))
        try await expectBroken("what was cut off is an error with a type", TamperedEncoder(isLenient: true))
        try await expectBroken(
            "bytes of any kind are an error with a type, or a message", TamperedEncoder(throwsOthers: true))
        try await expectBroken(
            "an encoder that knows its format claims no plain JSON, and keeps the format of what it replaces",
            TamperedEncoder(claimsAll: true))
    }
}
