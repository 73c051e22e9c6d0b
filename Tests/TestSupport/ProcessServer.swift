import Foundation
import Synchronization

/// A server in a process of its own, which can be killed and can stand still.
public protocol ProcessServer: Sendable {
    var process: CurrentProcess { get }
}

/// The process that a server has at present, if it runs.
public final class CurrentProcess: Sendable {
    private let process = Mutex<ServerProcess?>(nil)

    public init() {}

    /// Starts a process in the place of the one before.
    public func start(_ command: [String]) throws -> ServerProcess {
        let new = try ServerProcess(command)
        process.withLock { $0 = new }
        return new
    }

    public func kill() {
        process.withLock { process in
            process?.kill()
            process = nil
        }
    }

    public func signal(_ number: Int32) {
        process.withLock { $0?.signal(number) }
    }
}

extension ProcessServer {
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
