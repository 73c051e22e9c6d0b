import Dramatiq
import Foundation
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// References to stored workflows, in the fixtures that Python's module reads, too, and in millions of damaged ones.
@Suite(.timeLimit(.minutes(10))) struct ReferenceTests {
    @Test func hostileReferencesAndContentsAreErrors() async throws {
        for seed in TestSeed.first(3) {
            let outcome = try await ReferenceFuzz.run(count: 3_000, seed: seed.value)
            // So that it reaches further than the parser.
            #expect(outcome.references > 300, "\(seed)")
            #expect(outcome.rests > 30, "\(seed)")
            #expect(outcome.contents > 100, "\(seed)")
        }
    }
}
