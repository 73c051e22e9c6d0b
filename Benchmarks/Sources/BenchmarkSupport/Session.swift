import ArgumentParser
import Foundation

/// One run of an area's benchmarks: measures, shows each result as it comes, and sums up.
public struct Session {
    private let area: String
    private let options: BenchmarkOptions
    private var report: Report

    public init(area: String, _ options: BenchmarkOptions) {
        self.area = area
        self.options = options
        report = Report(area: area)
        if !options.json { print(ResultTable.heading(area)) }
    }

    /// Whether a name is among those that were asked for.
    public func includes(_ name: String) -> Bool {
        options.filter.map { name.contains($0) } ?? true
    }

    /// Whether others than one contestant are wanted.
    public var includesPeers: Bool { options.only == nil }

    /// Runs a comparison: a warm-up round for everybody, then rounds in which all take their turn one after the other,
    /// so that a busy machine slows all of them and the ratios hold.
    ///
    /// - Returns: `nil` if the filter leaves it out.
    @discardableResult
    public mutating func compare(_ comparison: Comparison) async throws -> ComparisonResult? {
        guard includes(comparison.name) else { return nil }
        var comparison = comparison
        if let only = options.only { comparison.contestants.removeAll { $0.name != only } }
        for contestant in comparison.contestants { _ = try await contestant.round(options.seconds) }
        var rounds: [[Measurement]] = []
        for number in 0..<min(options.rounds, comparison.maxRounds) {
            rounds.append(try await round(comparison.contestants, startingAt: number))
        }
        let result = ComparisonResult(comparison, rounds: rounds)
        report.comparisons.append(result)
        if !options.json { print(ResultTable.rows(result)) }
        return result
    }

    /// Each round starts with another contestant, so that nobody always follows the same one.
    private func round(_ contestants: [Contestant], startingAt first: Int) async throws -> [Measurement] {
        var measurements: [Int: Measurement] = [:]
        for offset in contestants.indices {
            let index = (first + offset) % contestants.count
            measurements[index] = try await contestants[index].round(options.seconds)
        }
        return contestants.indices.compactMap { measurements[$0] }
    }

    /// Notes a number that was found in another way.
    public mutating func add(_ figure: Figure) {
        report.figures.append(figure)
        if !options.json { print(ResultTable.row(figure)) }
    }

    /// Prints and saves what was asked for.
    ///
    /// - Throws: `ExitCode` if an aim was missed and the options are strict.
    public func finish() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let json = try encoder.encode(report)
        if options.json { print(String(decoding: json, as: UTF8.self)) }
        if let path = options.save { try json.write(to: URL(fileURLWithPath: path)) }
        if options.strict, !report.isEveryAimReached { throw ExitCode.failure }
    }
}

/// All results of an area.
private struct Report: Codable {
    let area: String
    var comparisons: [ComparisonResult] = []
    var figures: [Figure] = []

    init(area: String) {
        self.area = area
    }

    var isEveryAimReached: Bool {
        comparisons.allSatisfy { $0.entries.allSatisfy { $0.isAimReached != false } }
            && figures.allSatisfy { $0.isWithinLimit != false }
    }
}
