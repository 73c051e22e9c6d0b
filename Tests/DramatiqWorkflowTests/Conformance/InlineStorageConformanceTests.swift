import DramatiqTestKit
import DramatiqWorkflow
import Testing

/// The promises to callbacks in the messages.
@Suite(.timeLimit(.minutes(10))) struct InlineStorageConformanceTests {
    private struct Subject: CallbackStorageSubject {
        func makeStorage() async throws -> any CallbackStorage { InlineCallbackStorage() }
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject().claims))
    func callbacks(promise: Promise<any CallbackStorageSubject>) async throws {
        try await promise.check(Subject())
    }
}
