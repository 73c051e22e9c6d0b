import Dramatiq

extension RedisCommand {
    /// Adds what `use_runs().read()` reads.
    mutating func append(_ step: RunStep?) {
        guard let step else { return append("") }
        append(step.id)
        append(step.decides ? "!" + step.index : step.index)
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
                append(end.failsRun ? "1" : "0")
            }
        } else {
            append("")
        }
        // Mostly there is nothing, and then it takes no argument.
        let mark = step.stored.isEmpty ? "" : "s"
        if let beginning = step.beginning {
            append("1" + mark)
            append(RunEntry.about(beginning))
            append(max(.milliseconds(1), beginning.retention).redisMilliseconds)
            append(beginning.maxEnded)
            let lists = RunEntry.lists(beginning)
            append(lists.count)
            for list in lists { append(list) }
            append(beginning.tasks)
            for callback in beginning.callbacks.all { append(callback?.description ?? "") }
            append(beginning.outline.utf8.count <= RunLimits.maxOutlineSize ? beginning.outline : "")
        } else if !step.returned.isEmpty {
            append("2" + mark)
            append(step.returned.count)
            for message in step.returned {
                append(message.messageID)
                append(message.actorName)
            }
        } else if !step.added.isEmpty {
            append("3" + mark)
            append(step.added)
        } else {
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
        if let ended { count += ended.outcome == .succeeded ? 2 : 7 }
        if beginning == nil, !returned.isEmpty { count += 1 + 2 * returned.count }
        if beginning == nil, returned.isEmpty, !added.isEmpty { count += 1 + 2 * added.count }
        if let beginning { count += 9 + RunEntry.lists(beginning).count + 2 * beginning.tasks.count }
        if !stored.isEmpty { count += 1 + noted.count }
        return count
    }

    /// As much of ``stored`` as can be noted.
    fileprivate var noted: [Content] {
        Array(
            stored.lazy.filter { $0.name.utf8.count <= RunLimits.maxContentNameLength }
                .prefix(RunLimits.maxContents))
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
