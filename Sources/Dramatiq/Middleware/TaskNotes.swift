import Synchronization

/// What actors leave for a middleware while they run, one at a time: a processor has one of these for all of its messages.
///
/// Of each message there is a ``Place``, which is a value and costs no memory of its own. One that is held on to when its message
/// has ended leads nowhere, also while another message runs.
package final class TaskNotes: Sendable {
    package typealias Note = any AnyObject & Sendable

    /// Where a running actor's note is.
    package struct Place: Sendable {
        fileprivate let notes: TaskNotes
        fileprivate let number: Int

        /// Changes the note, which is `nil` at first.
        ///
        /// - Returns: whether the actor is still running; otherwise nothing is done.
        package func update(_ change: (inout Note?) -> Void) -> Bool {
            notes.state.withLock { state in
                guard state.isOpen, state.number == number else { return false }
                change(&state.note)
                return true
            }
        }
    }

    private struct State {
        var number = 0
        var isOpen = false
        var note: Note?
    }

    /// That of the actor in whose task this is.
    @TaskLocal package static var current: Place?

    private let state = Mutex(State())

    package init() {}

    /// An actor begins.
    package func open() -> Place {
        let number = state.withLock { state in
            state.number &+= 1
            state.isOpen = true
            return state.number
        }
        return Place(notes: self, number: number)
    }

    /// The actor has ended.
    package func close() -> Note? {
        state.withLock { state in
            state.isOpen = false
            guard state.note != nil else { return nil }
            defer { state.note = nil }
            return state.note
        }
    }
}

/// Asks for notes by actors: see ``TaskNotes``. A note is in the result of an actor that has succeeded, for the middleware's
/// later hooks.
package protocol NotingMiddleware: Middleware {
    /// Whether a message's actor can leave one.
    func takesNote(_ context: MessageContext) -> Bool
}
