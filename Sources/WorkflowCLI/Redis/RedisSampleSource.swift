#if Plugins
    import Dramatiq
    import DramatiqRedis

    /// Samples from the queues of a Redis server, one for each queue. Only reads.
    struct RedisSampleSource: SampleSource {
        let url: String
        let namespace: String
        /// How many messages of each queue are looked at, at most.
        let limit: Int
        let decoder: any MessageEncoder

        /// - Throws: ``SampleError``, `RedisError`, `CancellationError`.
        func samples() async throws -> [Sample] {
            let client = try RedisClient(url: url)
            let transport = RedisTransport(client, configuration: .init(namespace: namespace))
            do {
                let samples = try await samples(transport)
                await client.shutDown()
                return samples
            } catch {
                await client.shutDown()
                throw error
            }
        }

        private func samples(_ transport: RedisTransport) async throws -> [Sample] {
            var samples: [Sample] = []
            for queue in try await transport.queueNames() {
                let name = "redis \(PrintableText.escape(queue))"
                let messages = try await transport.sample(queue: queue, limit: limit).map { bytes in
                    do {
                        return try decoder.decode(bytes)
                    } catch {
                        throw SampleError.notASample(name: name, reason: "\(error)")
                    }
                }
                if !messages.isEmpty { samples.append(Sample(name: name, content: .messages(messages))) }
            }
            guard !samples.isEmpty else { throw SampleError.noMessages }
            return samples
        }
    }
#endif
