import TestSupport

@testable import WorkflowDemo

extension EightTasksDemo {
    /// The demo with tasks that take no time, but those that run side by side: each waits for the others to start.
    static func meeting() -> EightTasksDemo {
        let arrived = Recorder<String>()
        let all = Gate()
        let tasks = EightTasks(speed: 1) { name, _ in
            guard EightTasks.namesSideBySide.contains(name) else { return }
            if arrived.add(name) == EightTasks.namesSideBySide.count { all.open() }
            try await all.wait()
        }
        return EightTasksDemo(tasks, concurrency: 8)
    }
}
