/// What became of a list of promises: for programs that check without a test framework, and for people.
///
///     let report = await ConformanceReport(checking: TransportPromises.all) { MySubject() }
///     print(report)
///     exit(report.isConforming ? 0 : 1)
public struct ConformanceReport: Sendable, CustomStringConvertible {
    /// The names of the promises that are kept.
    public private(set) var kept: [String] = []
    public private(set) var broken: [BrokenPromise] = []
    public private(set) var notClaimed: [PromiseNotClaimed] = []

    /// Checks promises, one after the other.
    ///
    /// - Parameters:
    ///   - promises: what is checked.
    ///   - makeSubject: makes a subject for each check.
    public init<Subject>(
        checking promises: [Promise<Subject>],
        on makeSubject: @Sendable () async throws -> Subject
    ) async {
        for promise in promises {
            do {
                try await promise.check(try await makeSubject())
                kept.append(promise.name)
            } catch let error as BrokenPromise {
                broken.append(error)
            } catch let error as PromiseNotClaimed {
                notClaimed.append(error)
            } catch {
                broken.append(
                    BrokenPromise(
                        promise: promise.name, expected: "a check from its beginning to its end", seen: "\(error)",
                        file: #fileID, line: #line))
            }
        }
    }

    /// Whether no promise is broken and at least one is kept.
    public var isConforming: Bool { broken.isEmpty && !kept.isEmpty }

    public var description: String {
        var lines = kept.map { "kept         \($0)" }
        lines += notClaimed.map { "not claimed  \($0.promise) (\($0.missing.names))" }
        lines += broken.map {
            "BROKEN       \($0.promise)\n             expected \($0.expected)\n             saw \($0.seen)"
                + " (\($0.file):\($0.line))"
        }
        lines.append("\(kept.count) kept, \(notClaimed.count) not claimed, \(broken.count) broken")
        return lines.joined(separator: "\n")
    }
}
