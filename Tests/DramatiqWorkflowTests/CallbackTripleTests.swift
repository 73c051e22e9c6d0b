import Dramatiq
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// Entries of `workflow_completion_callbacks` in all their combinations, also in those that neither language writes.
@Suite(.timeLimit(.minutes(10))) struct CallbackTripleTests {
    /// Sends a task whose message has callbacks, and runs workers until there is nothing left to do.
    private func run(_ name: String, _ callbacks: JSONValue, on stage: Stage) async throws {
        try await stage.broker.enqueue(
            stage.task.messageWithOptions(name, options: ["workflow_completion_callbacks": callbacks]))
        try await stage.work()
    }

    private func barrier(_ key: String, parties: Int, on stage: Stage) async throws {
        let barrier = AtMostOnceBarrier(
            backend: stage.backend, key: key, ttl: WorkflowMiddleware.defaultBarrierTTL)
        #expect(try await barrier.create(parties: parties))
    }

    private func task(_ name: String, on stage: Stage) throws -> JSONValue {
        try JSONValue(parsing: stage.task.message(name).node.jsonValue.encoded())
    }

    /// dramatiq-workflow's own test has this one.
    @Test(arguments: [true, false]) func aWorkflowWaitsForItsBarrier(propagates: Bool) async throws {
        let stage = try await Stage()
        try await barrier("id", parties: 2, on: stage)
        let callbacks: JSONValue = [["id", try task("c", on: stage), .bool(propagates)]]
        try await run("a", callbacks, on: stage)
        #expect(stage.ran.values == ["a"])
        try await run("b", callbacks, on: stage)
        #expect(stage.ran.values == ["a", "b", "c"])
        #expect(stage.transport.deadLetters().isEmpty)
    }

    /// What is started and what is further out both go on.
    @Test func whatPropagatesArrivesFurtherOutAsWell() async throws {
        let stage = try await Stage()
        try await barrier("top", parties: 1, on: stage)
        try await barrier("outer", parties: 2, on: stage)
        try await barrier("id", parties: 2, on: stage)
        let callbacks: JSONValue = [
            ["top", try task("d", on: stage), false], ["outer", nil, true], ["id", try task("c", on: stage), true],
        ]
        try await run("a", callbacks, on: stage)
        #expect(stage.ran.values == ["a"])
        try await run("b", callbacks, on: stage)
        #expect(stage.ran.values == ["a", "b", "c", "d"])
    }

    /// Nothing to start is no reason to pass a barrier by.
    @Test(arguments: [true, false]) func anEmptyWorkflowWaitsForItsBarrier(propagates: Bool) async throws {
        let chain: JSONValue = ["__type__": "chain", "children": []]
        let group: JSONValue = ["__type__": "group", "children": []]
        for empty in [chain, group, nil] {
            let stage = try await Stage()
            try await barrier("top", parties: 1, on: stage)
            try await barrier("id", parties: 2, on: stage)
            let callbacks: JSONValue = [["top", try task("c", on: stage), false], ["id", empty, .bool(propagates)]]
            try await run("a", callbacks, on: stage)
            #expect(stage.ran.values == ["a"])
            try await run("b", callbacks, on: stage)
            #expect(stage.ran.values == ["a", "b", "c"])
        }
    }
}
