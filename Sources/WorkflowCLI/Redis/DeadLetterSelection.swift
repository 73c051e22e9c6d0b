#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq

    /// Some dead letters of a queue, or all of them.
    struct DeadLetterSelection: ParsableArguments {
        @Argument(help: "The ids of dead letters, as listed.")
        var ids: [String] = []

        @Flag(help: "All dead letters of the queue.")
        var all = false

        func validate() throws {
            guard ids.isEmpty == all else { throw ValidationError("Give either ids or --all") }
        }

        /// The ids, each once.
        var distinct: [String] { ids.distinct }

        /// What became of the dead letters.
        struct Outcome {
            fileprivate let isSelection: Bool
            /// How many were there, and were handled.
            private(set) var count = 0
            private(set) var missing: [String] = []
            /// Those for which it did not work.
            private(set) var failed: [(id: String, reason: String)] = []
            /// Those that were not come to, or not known to be handled.
            private(set) var left: [String] = []
            /// What ended it early.
            private(set) var failure: (any Error)?
        }

        /// Does something with all of them at once or with each. One that isn't there, or for which it doesn't work, keeps
        /// no other from it; a lost connection does.
        func apply(
            toAll: () async throws -> Int, toEach: (_ id: String) async throws -> Void
        ) async -> Outcome {
            var outcome = Outcome(isSelection: !all)
            if all {
                await outcome.add(toAll)
                return outcome
            }
            var rest = distinct[...]
            while let id = rest.first {
                guard await outcome.add(id, toEach) else {
                    outcome.leave(Array(rest))
                    break
                }
                rest.removeFirst()
            }
            return outcome
        }
    }

    extension DeadLetterSelection.Outcome {
        fileprivate mutating func add(_ handle: () async throws -> Int) async {
            do {
                count = try await handle()
            } catch {
                failure = error
            }
        }

        /// - Returns: whether there is a point in going on.
        fileprivate mutating func add(_ id: String, _ handle: (String) async throws -> Void) async -> Bool {
            do {
                try await handle(id)
                count += 1
            } catch let error as BrokerError where error.code == .deadLetterNotFound {
                missing.append(id)
            } catch let error as any ConfinedError where error.isConfined {
                failed.append((id, "\(error)"))
            } catch {
                failure = error
                return false
            }
            return true
        }

        fileprivate mutating func leave(_ ids: [String]) {
            left = ids
        }

        /// Says how many were handled, and which were not.
        ///
        /// - Parameter verb: what was done, as in "3 dead letters removed".
        /// - Throws: `ExitCode.failure` if there was one that was not; what ended it early.
        func tell(_ verb: String, isJSON: Bool, on console: Console) async throws {
            if isSelection || failure == nil {
                let noun = count == 1 ? "dead letter" : "dead letters"
                console.writeLine(isJSON ? json(verb) : "\(count) \(noun) \(verb)")
            }
            let problems =
                missing.map { "There is no dead letter '\($0)' in the queue" }
                + failed.map { "Dead letter '\($0.id)' was not \(verb): \($0.reason)" }
                + left.map { "Dead letter '\($0)' is not known to be \(verb)" }
            guard let failure else { return try await console.finish(problems) }
            // Said before the error that ends the command, which has an exit code of its own.
            try? await console.finish(isSelection ? problems : ["Some dead letters may have been \(verb)"])
            throw failure
        }

        private func json(_ verb: String) -> String {
            var members: [(String, JSONValue)] = [(verb, .integer(count))]
            if isSelection {
                members.append(("missing", .array(JSONArray(missing.map { .string($0) }))))
                members.append(("failed", .array(JSONArray((failed.map(\.id) + left).map { .string($0) }))))
            }
            return PrintableText.escape(json: JSONObject(members).description)
        }
    }
#endif
