import DramatiqMetrics
import Foundation
import Testing

/// The guide has all figures, and no others.
struct GuideTests {
    @Test func theGuideListsTheFigures() throws {
        let guide = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/DramatiqWorkflow/Documentation.docc/Guides/CollectingTelemetry.md")
        let rows = try String(contentsOf: guide, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }
        let expected = MetricDefinition.all.map { figure in
            let labels = figure.labels.map { "`\($0)`" }.joined(separator: ", ")
            return "| `\(figure.name)` | \(figure.kind) | \(labels) | \(figure.help.dropLast()) |"
        }
        #expect(rows.map(String.init) == expected)
    }
}
