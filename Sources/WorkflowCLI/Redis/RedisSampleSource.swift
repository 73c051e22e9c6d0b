#if Plugins
    import Dramatiq
    import DramatiqRedis

    /// Samples from the queues of a Redis server, one for each queue. Only reads.
    struct RedisSampleSource: SampleSource {
        let place: RedisPlace
        /// How many messages of each queue are looked at, at most.
        let limit: Int
        let decoder: any MessageEncoder

        /// - Throws: ``SampleError/noMessages``, `RedisError`, `CancellationError`.
        func samples() async throws -> FoundSamples {
            try await place.withTransport { transport in
                var found = FoundSamples()
                for queue in try await transport.queueNames() {
                    let problems = try await RedisError.goingOn("Queue '\(queue)'") {
                        found.problems += try await transport.status(queue: queue).problems
                        try await add(queue, transport, &found)
                    }
                    found.problems += problems
                }
                guard !found.samples.isEmpty || !found.problems.isEmpty else { throw SampleError.noMessages }
                return found
            }
        }

        private func add(_ queue: String, _ transport: RedisTransport, _ found: inout FoundSamples) async throws {
            var messages: [Message] = []
            for (id, bytes) in try await transport.sample(queue: queue, limit: limit) {
                do {
                    messages.append(try decoder.decode(bytes))
                } catch {
                    found.problems.append("Queue '\(queue)': \(id) is no message that can be read: \(error)")
                }
            }
            if !messages.isEmpty {
                found.samples.append(
                    Sample(name: "redis \(PrintableText.escape(queue))", content: .messages(messages)))
            }
        }
    }
#endif
