/// Something that a transport, store or encoder has to keep to, with a check that finds out whether it does.
///
/// A check needs no test framework: it throws. With Swift Testing each promise is a test of its own:
///
///     @Test(arguments: StateStorePromises.all.claimed(by: MySubject().claims))
///     func isKept(promise: Promise<any StateStoreSubject>) async throws {
///         try await promise.check(MySubject())
///     }
///
/// In a program, ``ConformanceReport`` checks a list and says what is kept, broken and not claimed.
public struct Promise<Subject: Sendable>: Sendable, CustomStringConvertible {
    /// The promise, as a sentence.
    public let name: String
    /// What a subject has to be able to do for the promise to apply.
    public let needs: Set<Claim>
    private let base: @Sendable (Subject) -> any ConformanceSubject
    private let body: @Sendable (Subject) async throws -> Void
    private let file: String
    private let line: Int

    init(
        _ name: String,
        needs: Set<Claim>,
        file: String,
        line: Int,
        base: @escaping @Sendable (Subject) -> any ConformanceSubject,
        body: @escaping @Sendable (Subject) async throws -> Void
    ) {
        self.name = name
        self.needs = needs
        self.file = file
        self.line = line
        self.base = base
        self.body = body
    }

    public var description: String { name }

    /// Finds out whether a subject keeps the promise, and has the subject finish.
    ///
    /// - Parameter subject: a fresh one.
    /// - Throws: ``BrokenPromise``; ``PromiseNotClaimed`` if the subject can't do what the promise needs, so that
    ///   nothing that was not checked looks kept; `CancellationError`.
    public func check(_ subject: Subject) async throws {
        let base = base(subject)
        let missing = needs.subtracting(base.claims)
        guard missing.isEmpty else {
            await base.finish()
            throw PromiseNotClaimed(promise: name, missing: missing)
        }
        do {
            try await body(subject)
            await base.finish()
        } catch {
            await base.finish()
            switch error {
            case is CancellationError where Task.isCancelled: throw error
            case let deviation as Deviation:
                throw BrokenPromise(
                    promise: name, expected: deviation.expected, seen: deviation.seen, file: deviation.file,
                    line: deviation.line)
            default:
                throw BrokenPromise(
                    promise: name, expected: "no error", seen: "\(error)", file: file, line: line)
            }
        }
    }
}

/// A promise that is not kept.
public struct BrokenPromise: Error, Sendable, Hashable, CustomStringConvertible {
    /// The promise's ``Promise/name``.
    public let promise: String
    public let expected: String
    public let seen: String
    /// Where the check stands that failed.
    public let file: String
    public let line: Int

    public var description: String {
        "Broken promise: \(promise). Expected \(expected), but saw \(seen) (\(file):\(line))"
    }
}

/// A promise was to be checked that its subject doesn't make.
public struct PromiseNotClaimed: Error, Sendable, Hashable, CustomStringConvertible {
    /// The promise's ``Promise/name``.
    public let promise: String
    /// What the promise needs and the subject doesn't claim.
    public let missing: Set<Claim>

    public var description: String { "Not claimed: \(promise) (\(missing.names))" }
}

extension Array {
    /// The promises that a subject with these claims makes.
    public func claimed<Subject>(by claims: Set<Claim>) -> [Promise<Subject>] where Element == Promise<Subject> {
        filter { $0.needs.isSubset(of: claims) }
    }

    /// The promises that a subject with these claims doesn't make.
    public func notClaimed<Subject>(by claims: Set<Claim>) -> [Promise<Subject>] where Element == Promise<Subject> {
        filter { !$0.needs.isSubset(of: claims) }
    }
}
