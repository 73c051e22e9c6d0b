import Dramatiq

/// Records when tasks start and end, whichever they are.
///
/// It has to stand before `Retries` in the broker's list: hooks named `after…` run in the opposite order, so it is told
/// of an attempt's end when it is decided what follows from it.
struct TaskObserver: BeforeProcessMessage, AfterProcessMessage, AfterNack {
    let recorder: EventRecorder

    func beforeProcessMessage(_ context: inout MessageContext) async throws {
        recorder.record(.taskStarted(TaskRun(context.message)))
    }

    // Not `afterAck`: by then the next task may have started already.
    func afterProcessMessage(_ context: inout MessageContext) async throws {
        if let error = context.error {
            if !context.isFailed { recorder.record(.taskRetried(TaskRun(context.message), reason: "\(error)")) }
        } else if context.isSuccess {
            recorder.record(.taskFinished(TaskRun(context.message)))
        }
    }

    func afterNack(_ context: MessageContext) {
        recorder.record(.taskFailed(TaskRun(context.message), reason: context.failureReason ?? "It was rejected"))
    }
}
