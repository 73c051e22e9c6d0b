import Dramatiq
import DramatiqTestKit
import DramatiqWorkflow
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

@testable import DramatiqRedis

/// Wrapping what works on a server changes neither what it promises nor how often the server is asked.
@Suite(.timeLimit(.minutes(10))) struct RedisWrappingTests {
    @Test(arguments: TransportPromises.all.claimed(by: RedisTransportSubject.claims))
    func messages(promise: Promise<any TransportSubject>) async throws {
        try await withRedisServer(.appendOnly) { server in
            try await promise.check(
                try RedisTransportSubject(
                    server, checking: promise, wrapping: { CountedTransport($0) }, storing: { CountedStore($0) }))
        }
    }

    @Test(arguments: WorkflowPromises.all.claimed(by: RedisTransportSubject.claims))
    func workflows(promise: Promise<any TransportSubject>) async throws {
        try await withRedisServer { server in
            try await promise.check(
                try RedisTransportSubject(
                    server, checking: promise, wrapping: { CountedTransport($0) }, storing: { CountedStore($0) }))
        }
    }

    /// What the server is asked for a workflow.
    private struct Scripts: Equatable {
        var commits = 0
        var barriers = 0
        var fetches = 0
    }

    /// Runs a chain of fifty with one processor.
    private func run(
        _ server: RedisServer,
        namespace: String,
        transport wrapTransport: (RedisTransport) -> any Transport,
        store wrapStore: (RedisRateLimiterBackend) -> any StateStore
    ) async throws -> Scripts {
        let client = try RedisClient(url: server.url, logger: RecordingLog().logger)
        let executor = FaultyExecutor(client)
        let scripts = Mutex(Scripts())
        executor.set { command in
            scripts.withLock { scripts in
                if command.isCommit { scripts.commits += 1 }
                if command.script === RateLimitScripts.commit { scripts.barriers += 1 }
                if command.script === QueueScripts.fetch { scripts.fetches += 1 }
            }
            return nil
        }
        let transport = RedisTransport(executor, configuration: .init(namespace: namespace))
        let broker = Broker(
            transport: wrapTransport(transport),
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(backend: wrapStore(RedisRateLimiterBackend(executor)))
            ])
        let ran = Recorder<String>()
        let task = TaskActor("task") { (name: String) in _ = ran.add(name) }
        try await broker.declare(task)
        let names = (0..<50).map(String.init)
        try await Workflow(Chain(children: names.map { .message(task.message($0)) }), broker: broker).run()
        try await withWorker(Worker(broker, concurrency: 1)) { try await transport.join() }
        #expect(ran.values == names)
        await client.shutDown()
        return scripts.withLock(\.self)
    }

    @Test func aHopIsOneScriptAndBringsTheNextMessageAlong() async throws {
        try await withRedisServer { server in
            let plain = try await run(server, namespace: "plain", transport: { $0 }, store: { $0 })
            let calls = CallCounter()
            let wrapped = try await run(
                server, namespace: "wrapped", transport: { CountedTransport($0, calls) },
                store: { CountedStore($0, calls) })
            // One to start it, and one for each hop.
            #expect(plain.commits == 51)
            #expect(wrapped.commits == 51)
            #expect((plain.barriers, wrapped.barriers) == (0, 0))
            #expect(calls["apply"] == 0)
            #expect(calls["commit"] == 51)
            // A wrapped consumer gets what comes with an answer, too.
            #expect(wrapped.fetches < 30)
        }
    }
}
