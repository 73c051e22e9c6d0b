import Dramatiq
import DramatiqTestKit
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct ReportTests {
    private struct Nothing: StateStoreSubject {
        struct Down: Error {}
        func makeStore() async throws -> any StateStore { throw Down() }
    }

    @Test func aReportSaysWhatIsKeptBrokenAndNotClaimed() async throws {
        let report = await ConformanceReport(checking: StateStorePromises.all) {
            InMemoryStateSubject(claims: [.atomicSteps])
        }
        #expect(report.broken.isEmpty)
        #expect(report.isConforming)
        #expect(report.kept.contains("an arrival is counted once per party"))
        #expect(report.kept.count + report.notClaimed.count == StateStorePromises.all.count)
        #expect(
            report.description.contains("not claimed  a connection that ends loses no barrier (connections can be cut)")
        )
    }

    @Test func aSubjectThatFailsBreaksItsPromises() async throws {
        let report = await ConformanceReport(checking: StateStorePromises.all) { Nothing() }
        #expect(!report.isConforming)
        #expect(report.kept.isEmpty)
        #expect(report.broken.allSatisfy { $0.seen.contains("Down") })
        #expect(report.broken.first?.file.hasSuffix("StateStorePromises.swift") == true)
        #expect(report.description.contains("BROKEN       an arrival is counted once per party"))
    }

    @Test func nothingThatWasNotCheckedLooksKept() async throws {
        let promise = try #require(StateStorePromises.all.first { $0.needs == [.cuts] })
        await #expect(throws: PromiseNotClaimed.self) {
            try await promise.check(InMemoryStateSubject(claims: []))
        }
    }

    @Test func everyPromiseHasANameOfItsOwn() {
        for names in [
            StateStorePromises.all.map(\.name), CounterPromises.all.map(\.name),
            (TransportPromises.all + WorkflowPromises.all).map(\.name), CallbackStoragePromises.all.map(\.name),
            WorkflowStorePromises.all.map(\.name), EncoderPromises.all.map(\.name),
        ] {
            #expect(Set(names).count == names.count)
        }
    }
}
