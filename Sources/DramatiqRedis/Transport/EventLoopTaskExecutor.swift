import Dramatiq
import NIOCore
import NIOPosix

/// Runs tasks on a thread of SwiftNIO's, so that actors that keep all threads of the cooperative pool busy don't hold
/// them up.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.any()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Sleeps without the help of the cooperative pool, which `Task.sleep` needs. Ends early if the task is cancelled.
    func sleep(for duration: Duration) async {
        let signal = Signal()
        let timer = eventLoop.scheduleTask(in: TimeAmount(duration)) { signal.signal() }
        await signal.wait()
        timer.cancel()
    }
}
