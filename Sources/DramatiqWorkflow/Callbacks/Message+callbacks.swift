import Dramatiq

extension Message {
    /// What a message tells its workflow when it is done.
    struct WorkflowTies {
        /// What the callback storage made of the callbacks.
        let reference: JSONValue
        /// The id under which the message arrives at its barrier.
        let party: String
    }

    /// What there is to be done in the workflow once the message and all that is piped behind it are done.
    ///
    /// A pipeline is one task of its workflow. Its last message carries the callbacks, so that whoever runs the others
    /// need know nothing of it, Python's workers included; but if one of them fails, the whole task has.
    var workflowTies: WorkflowTies? {
        if options.isEmpty { return nil }
        if let reference = ownCallbacks { return WorkflowTies(reference: reference, party: messageID) }
        guard isPiped, let last = Pipeline(self).messages.last, let reference = last.ownCallbacks else { return nil }
        return WorkflowTies(reference: reference, party: last.messageID)
    }

    /// The callbacks that the message itself carries.
    var ownCallbacks: JSONValue? { options.value(CallbackFormat.option) }

    /// The run that the message says it is of, if its callbacks are kept apart from it.
    var runOption: String? {
        if let text = options.value(CallbackFormat.runOption)?.stringValue { return text }
        guard isPiped else { return nil }
        return Pipeline(self).messages.last?.options.value(CallbackFormat.runOption)?.stringValue
    }

    /// The message as a task of a workflow, or of none if there are no callbacks.
    ///
    /// - Parameter run: the run that it says it is of.
    mutating func setCallbacks(_ reference: JSONValue?, run: String? = nil) {
        guard isPiped else {
            if reference != nil || !options.isEmpty { options[CallbackFormat.option] = reference }
            setRun(run)
            return
        }
        var pipeline = Pipeline(self)
        for index in pipeline.messages.indices {
            let isLast = index == pipeline.messages.count - 1
            pipeline.messages[index].options[CallbackFormat.option] = isLast ? reference : nil
            pipeline.messages[index].setRun(isLast ? run : nil)
        }
        self = pipeline.joined
    }

    private mutating func setRun(_ run: String?) {
        if run != nil || options.has(CallbackFormat.runOption) {
            options[CallbackFormat.runOption] = run.map { .string($0) }
        }
    }
}
