#if Plugins
    import CommandLineSupport
    import Dramatiq

    /// Samples from the queues of a Redis server, one for each queue. Only reads.
    struct RedisSampleSource: SampleSource {
        let place: RedisPlace
        /// How many messages of each queue are looked at, at most.
        let limit: Int
        let decoder: any MessageEncoder

        /// - Throws: ``SampleError/noMessages``, `RedisError`, `CancellationError`.
        func samples() async throws -> FoundSamples {
            try await place.withOperations { queues in
                var found = FoundSamples()
                for queue in try await queues.queueNames() {
                    let problems = try await queues.goingOn("Queue '\(queue)'") {
                        found.problems += try await queues.status(queue: queue).problems
                        try await add(queue, queues, &found)
                    }
                    found.problems += problems
                }
                guard !found.samples.isEmpty || !found.problems.isEmpty else { throw SampleError.noMessages }
                return found
            }
        }

        private func add(_ queue: String, _ queues: any QueueOperations, _ found: inout FoundSamples) async throws {
            var messages: [Message] = []
            for sampled in try await queues.sample(queue: queue, limit: limit) {
                do {
                    messages.append(try sampled.payload.message(decoder: decoder))
                } catch {
                    let name = sampled.id ?? "one"
                    found.problems.append("Queue '\(queue)': \(name) is no message that can be read: \(error)")
                }
            }
            if !messages.isEmpty {
                found.samples.append(
                    Sample(name: "redis \(PrintableText.escape(queue, limit: 200))", content: .messages(messages)))
            }
        }
    }
#endif
