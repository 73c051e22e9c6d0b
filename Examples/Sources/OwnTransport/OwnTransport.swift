import Dramatiq
import DramatiqTestKit
import Foundation

/// The transport as a subject of the promises: a fresh one for each of them. Its commits can fail on their way.
struct QueueSubject: TransportSubject {
    let claims: Set<Claim> = QueueTransport().traits.claims.union([.refusedSteps, .lostAnswers])
    let faults = FaultSwitch()
    private let transport = QueueTransport()

    func makeTransport() async throws -> any Transport { FaultyTransport(transport, faults: faults) }
}

/// Says which promises a transport of one's own keeps: `swift run OwnTransport`. Fails if one of them is broken.
@main
struct OwnTransport {
    static func main() async {
        let report = await ConformanceReport(checking: TransportPromises.all + WorkflowPromises.all) { QueueSubject() }
        print(report)
        exit(report.isConforming ? 0 : 1)
    }
}
