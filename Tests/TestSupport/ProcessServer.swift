public import Foundation
import Synchronization

/// A server in a process of its own, on a loopback port that was free, which can be killed and can stand still.
public protocol ProcessServer: Sendable {
    var process: CurrentProcess { get }

    /// Starts the server on its port and waits until it takes connections; also again after ``kill()``.
    ///
    /// - Throws: ``CurrentProcess/DidNotStart``.
    func start() async throws
}

/// The port that a server has, and its process at present, if it runs.
public final class CurrentProcess: Sendable {
    /// What tells that a server takes connections.
    public enum Sign: Sendable {
        case isServed
        /// A text in its log.
        case says(String, log: URL)
    }

    private struct State {
        var port: Int
        var process: ServerProcess?
    }

    private let state: Mutex<State>

    public init() throws {
        state = Mutex(State(port: try LoopbackPort.free()))
    }

    public var port: Int { state.withLock(\.port) }

    fileprivate func chooseAnotherPort() throws {
        let port = try LoopbackPort.free()
        state.withLock { $0.port = port }
    }

    /// Starts a process in the place of the one before, and waits for a sign of it.
    ///
    /// - Throws: ``DidNotStart`` if it ends before.
    public func start(_ command: [String], until sign: Sign = .isServed) async throws {
        let process = try ServerProcess(command)
        let port = state.withLock { state in
            state.process = process
            return state.port
        }
        try await eventually {
            // Asked first, so that the log is whole if it has ended.
            let isRunning = process.isRunning
            switch sign {
            case .isServed:
                guard isRunning else { throw DidNotStart(port: port, log: "") }
                return try LoopbackPort.isServed(port)
            case .says(let text, let file):
                let log = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
                guard isRunning else { throw DidNotStart(port: port, log: log) }
                return log.contains(text)
            }
        }
    }

    /// The server did not come up.
    public struct DidNotStart: Error {
        public let port: Int
        public let log: String
    }

    public func kill() {
        state.withLock { state in
            state.process?.kill()
            state.process = nil
        }
    }

    public func signal(_ number: Int32) {
        state.withLock { $0.process?.signal(number) }
    }
}

extension ProcessServer {
    public var port: Int { process.port }

    /// Starts the server for the first time, on another port if somebody else has taken the one that was free.
    public func startOnFreePort() async throws {
        for attempt in 1... {
            do {
                return try await start()
            } catch let error as CurrentProcess.DidNotStart {
                guard attempt < 10 else { throw error }
                try process.chooseAnotherPort()
            }
        }
    }

    /// Kills the server and starts it again.
    public func restart() async throws {
        kill()
        try await start()
    }

    /// Ends the server at once, as a crash would.
    public func kill() {
        process.kill()
    }

    /// Lets the server stand still: it takes connections and commands and answers none.
    public func suspend() {
        process.signal(SIGSTOP)
    }

    /// Lets a server that stands still go on.
    public func resume() {
        process.signal(SIGCONT)
    }
}
