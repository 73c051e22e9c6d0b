/// Something that is not as promised.
package struct Deviation: Error {
    let expected: String
    let seen: String
    let file: String
    let line: Int
}

func expect(
    _ condition: Bool,
    _ expected: @autoclosure () -> String,
    saw seen: @autoclosure () -> String = "that it was not so",
    file: String = #fileID,
    line: Int = #line
) throws {
    guard !condition else { return }
    throw Deviation(expected: expected(), seen: seen(), file: file, line: line)
}

func expectEqual<Value: Equatable>(
    _ seen: Value,
    _ expected: Value,
    _ what: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line
) throws {
    try expect(
        seen == expected, "\(what()) to be \(text(expected))", saw: text(seen), file: file, line: line)
}

func unwrap<Value>(
    _ value: Value?,
    _ what: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line
) throws -> Value {
    guard let value else { throw Deviation(expected: what(), seen: "nothing", file: file, line: line) }
    return value
}

/// - Returns: the error that was thrown.
@discardableResult
func expectError(
    _ what: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line,
    _ body: () async throws -> some Any
) async throws -> any Error {
    let value: Any
    do {
        value = try await body()
    } catch {
        return error
    }
    throw Deviation(expected: "an error, since \(what())", seen: text(value), file: file, line: line)
}

/// - Returns: the error that was thrown.
@discardableResult
func expectError<Failure: Error>(
    _ type: Failure.Type,
    _ what: @autoclosure () -> String,
    file: String = #fileID,
    line: Int = #line,
    _ body: () async throws -> some Any
) async throws -> Failure {
    let error = try await expectError(what(), file: file, line: line, body)
    guard let failure = error as? Failure else {
        throw Deviation(
            expected: "\(Failure.self), since \(what())", seen: "\(Swift.type(of: error)): \(error)", file: file,
            line: line)
    }
    return failure
}

/// Short enough to be read.
private func text(_ value: some Any) -> String {
    let text = "\(value)"
    return text.count <= 500 ? text : "\(text.prefix(500))…"
}

// MARK: Waiting

/// Waits for something, within a subject's patience.
func within<Value: Sendable>(
    _ patience: Duration,
    _ what: String,
    file: String = #fileID,
    line: Int = #line,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: patience)
            throw Deviation(expected: what, seen: "nothing for \(patience)", file: file, line: line)
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw CancellationError() }
        return value
    }
}

/// Waits until something holds; asks often.
package func eventually(
    within patience: Duration,
    _ what: String,
    file: String = #fileID,
    line: Int = #line,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + patience
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            throw Deviation(expected: what, seen: "that it was not so for \(patience)", file: file, line: line)
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}
