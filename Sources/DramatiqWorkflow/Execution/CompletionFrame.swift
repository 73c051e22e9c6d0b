import Dramatiq

/// A chain's step or a group while a plan is made: what its tasks count at when they are done, linked to what is
/// around it.
final class CompletionFrame {
    enum Kind {
        /// What the plan starts from: entries that came with a message.
        case outer([CompletionCallback])
        /// A task of a chain, with what comes after it.
        case step(rest: WorkflowParts)
        case group
    }

    private(set) var parent: CompletionFrame?
    let kind: Kind
    /// The barrier's key; empty for the outermost.
    let completionID: String
    /// How many are still to come.
    var parties: Int
    /// The longest delay of a task that counts here, in milliseconds.
    private(set) var longestDelay = 0
    /// What the tasks' messages carry, stored once for all of them.
    var reference: JSONValue?
    /// The run that the messages say they are of, since that can't be seen at the reference.
    var runOption: String?
    /// What comes after a step.
    var remaining: RemainingWorkflow?
    /// The tasks that are started here and in no frame inside.
    var taskCount = 0
    private var callback: CompletionCallback?

    init(_ kind: Kind, parent: CompletionFrame?, completionID: String = "", parties: Int = 0) {
        self.kind = kind
        self.parent = parent
        self.completionID = completionID
        self.parties = parties
    }

    deinit {
        // One by one, since freeing each from within the other would take a part of the thread's stack for each.
        var next = parent
        parent = nil
        while isKnownUniquelyReferenced(&next) {
            let outer = next?.parent
            next?.parent = nil
            next = outer
        }
    }

    /// A task that counts here, and at all that is around, starts later.
    func delay(by milliseconds: Int) {
        var frame: CompletionFrame? = self
        while let current = frame, current.longestDelay < milliseconds {
            current.longestDelay = milliseconds
            frame = current.parent
        }
    }

    /// The entries for a message in this frame, outermost first.
    var callbacks: [CompletionCallback] {
        var inner: [CompletionCallback] = []
        var frame = self
        while true {
            if case .outer(let callbacks) = frame.kind { return callbacks + inner.reversed() }
            inner.append(frame.entry)
            guard let parent = frame.parent else { return inner.reversed() }
            frame = parent
        }
    }

    private var entry: CompletionCallback {
        if let callback { return callback }
        let entry = CompletionCallback(
            completionID: completionID, remaining: remaining, propagates: remaining == nil)
        callback = entry
        return entry
    }
}
