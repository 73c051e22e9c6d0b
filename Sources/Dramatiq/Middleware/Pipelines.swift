/// Sends the next message of a pipeline (`pipe_target`) with this one's result as its last argument, unless
/// `pipe_ignore` says otherwise. See ``Message/piped(into:ignoringResult:)``.
public struct Pipelines: AfterProcessMessage, SelectiveMiddleware {
    public init() {}

    public var actorOptions: Set<String> { ["pipe_target", "pipe_ignore"] }
    public var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

    package func isConcerned(_ context: MessageContext) -> Bool {
        context.delivered.hasOptions && context.options.has(Pipeline.targetOption)
    }

    public var servedOptions: [ServedOption] {
        [
            ServedOption(Pipeline.targetOption) { value in
                if !value.isNull { _ = try Pipeline.message(value).pipelineDelay() }
                return []
            },
            ServedOption("pipe_ignore"),
        ]
    }

    public func afterProcessMessage(_ context: inout MessageContext) async throws {
        guard context.isSuccess, let target = context.options.value(Pipeline.targetOption) else { return }
        var next = try Pipeline.message(target)
        let ignoresResult = next.options["pipe_ignore"]?.isTruthy ?? false
        if !ignoresResult, context.actor.options["pipe_ignore"]?.isTruthy != true {
            next.args.append(try context.result.jsonValue())
        }
        try await context.enqueue(next, delay: next.pipelineDelay())
    }
}
