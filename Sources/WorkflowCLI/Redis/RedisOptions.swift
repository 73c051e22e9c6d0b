#if Plugins
    import ArgumentParser
    import Dramatiq
    import DramatiqLZ4
    import DramatiqRedis
    import DramatiqZlib

    /// What the commands for a Redis server have in common.
    struct RedisOptions: ParsableArguments {
        @Option(help: ArgumentHelp("The server: redis://host:port/database, rediss:// for TLS.", valueName: "url"))
        var redis: String

        @Option(help: "What the keys begin with.")
        var namespace = "dramatiq"

        @Flag(help: "Print JSON, one object per line, and nothing else.")
        var json = false

        /// Reads messages in every format that a fleet may use.
        static let decoder: any MessageEncoder = MultiFormatMessageEncoder(
            writing: JSONMessageEncoder(), reading: LZ4MessageEncoder(), ZlibMessageEncoder())

        /// Gives a body the transport, and ends the connection after it.
        func withTransport(_ body: (RedisTransport) async throws -> Void) async throws {
            let client = try RedisClient(url: redis)
            let transport = RedisTransport(client, configuration: .init(namespace: namespace))
            do {
                try await body(transport)
            } catch {
                await client.shutDown()
                throw error
            }
            await client.shutDown()
        }
    }

    /// A queue whose dead letters are meant.
    struct DeadLetterOptions: ParsableArguments {
        @OptionGroup var server: RedisOptions

        @Option(help: ArgumentHelp("The queue that they come from.", valueName: "name"))
        var queue = "default"

        func validate() throws {
            guard QueueName.isValid(queue) else { throw ValidationError("'\(queue)' can't name a queue") }
        }
    }
#endif
