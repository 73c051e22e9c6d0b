import Dramatiq

extension RedisCommand {
    /// Adds what `use_runs().read()` reads.
    mutating func append(_ step: RunStep?) {
        guard let step else { return append("") }
        append(step.id)
        append(step.markedIndex)
        append(step.sent)
        if let end = step.ended {
            append(end.outcome.name)
            append(end.actorName)
            append(end.messageID)
            if end.outcome != .succeeded {
                append(PrintableText.escape(end.reason, limit: RunLimits.maxReasonLength))
                append(end.retries + 1)
                append(end.queueName)
                append(end.deadLetterID ?? "")
                append(end.groups.count)
                for group in end.groups { append(group) }
            }
        } else {
            append("")
        }
        // Mostly there is nothing, and then it takes no argument.
        let mark = step.stored.isEmpty ? "" : "s"
        switch step.kind {
        case .begins(let beginning):
            append("1" + mark)
            append(RunEntry.about(beginning))
            append(max(.milliseconds(1), beginning.retention).redisMilliseconds)
            append(beginning.maxEnded)
            let lists = RunEntry.lists(beginning)
            append(lists.count)
            for list in lists { append(list) }
            append(beginning.tasks)
            for callback in beginning.callbacks.all { append(callback?.description ?? "") }
            let callbacks = beginning.groupCallbackFields
            append(callbacks.count)
            for (name, text) in callbacks {
                append(name)
                append(text)
            }
            append(beginning.outline.utf8.count <= RunLimits.maxOutlineSize ? beginning.outline : "")
        case .returns(let messages):
            append("2" + mark)
            append(messages.count)
            for message in messages {
                append(message.messageID)
                append(message.actorName)
            }
        case .adds(let counts):
            append("3" + mark)
            append(counts)
        case .failsGroups(let failures):
            append("4" + mark)
            append(failures.count)
            for failure in failures {
                append(failure.barrier)
                append(failure.member?.party ?? "")
                append(failure.member?.cause ?? "")
                append(failure.decider ?? "")
            }
        case .plain:
            append("0" + mark)
        }
        if !step.stored.isEmpty {
            let stored = step.noted
            append(stored.count)
            for content in stored { append((content.isKey ? "k" : "n") + content.name) }
        }
    }

    private mutating func append(_ counts: [RunStep.TaskCount]) {
        append(counts.count)
        for count in counts {
            append(count.actorName)
            append(count.count)
        }
    }
}

extension RunStep {
    /// How many arguments of a script it is.
    var argumentCount: Int {
        var count = 5 + 2 * sent.count
        if let ended { count += ended.outcome == .succeeded ? 2 : 7 + ended.groups.count }
        switch kind {
        case .begins(let beginning):
            count += 10 + 2 * beginning.groupCallbackFields.count
            count += RunEntry.lists(beginning).count + 2 * beginning.tasks.count
        case .returns(let messages): count += 1 + 2 * messages.count
        case .adds(let counts): count += 1 + 2 * counts.count
        // A barrier is three.
        case .failsGroups(let failures): count += 1 + 6 * failures.count
        case .plain: break
        }
        if !stored.isEmpty { count += 1 + noted.count }
        return count
    }

    /// What it is besides the end of a task. It is one thing only.
    fileprivate enum Kind {
        case begins(Beginning)
        case returns([HeldMessage])
        case adds([TaskCount])
        case failsGroups([GroupFailure])
        case plain
    }

    fileprivate var kind: Kind {
        if let beginning { return .begins(beginning) }
        if !returned.isEmpty { return .returns(returned) }
        if !added.isEmpty { return .adds(added) }
        return groupFailures.isEmpty ? .plain : .failsGroups(groupFailures)
    }

    /// With a mark before it that says what the steps may do; empty if there is neither.
    fileprivate var markedIndex: String {
        if cancels { return "x" + index }
        let fails = ended?.failsRun ?? false
        if index.isEmpty, !decides, !fails { return "" }
        return (decides ? fails ? "+" : "!" : fails ? "-" : ".") + index
    }

    /// As much of ``stored`` as can be noted.
    fileprivate var noted: [Content] {
        Array(
            stored.lazy.filter { $0.name.utf8.count <= RunLimits.maxContentNameLength }
                .prefix(RunLimits.maxContents))
    }
}

extension RunStep.Beginning {
    /// The callbacks of groups, as fields of the run's hash.
    fileprivate var groupCallbackFields: [(name: String, text: String)] {
        groupCallbacks.enumerated().flatMap { number, callbacks in
            zip(RunScript.callbackFields(ofGroup: number), callbacks.all).compactMap { name, callback in
                callback.map { (name, $0.description) }
            }
        }
    }
}

extension RunScript {
    /// The fields of a run's hash that have its callbacks, or those of one of its groups.
    static func callbackFields(ofGroup number: Int?) -> [String] {
        ["on_success", "on_failure", "on_end"].map { name in number.map { "\(name)#\($0)" } ?? name }
    }
}

extension RunStep.TaskEnd.Outcome {
    /// As the script reads it, and as it is kept.
    var name: String {
        switch self {
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .skipped: "skipped"
        }
    }
}
