#if Plugins
    import ArgumentParser
    import Dramatiq
    import DramatiqRedis
    import Logging

    /// What the commands for a Redis server have in common.
    struct RedisOptions: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "The server: env:NAME or file:PATH, a variable of the environment or a file with its URL, or the URL itself "
                    + "if it has no password, since everybody on the machine can list arguments. Unless given, the URL is "
                    + "that of the variable \(RedisAddress.variable): redis://user:password@host:port/database, rediss:// "
                    + "for TLS.", valueName: "url"))
        var redis: String?

        @Option(help: "What the keys begin with.")
        var namespace = "dramatiq"

        @OptionGroup var dictionary: DictionaryOption

        @Flag(help: "Print JSON, one object per line, and nothing else.")
        var json = false

        /// Gives a body what looks after the queues and what reads messages in every format that a fleet may use, and
        /// ends the connection after it.
        func withOperations<Result>(
            _ body: (any QueueOperations, any MessageEncoder) async throws -> Result
        ) async throws -> Result {
            let decoder = EncoderChoice.decoder(dictionary: try await dictionary.load())
            return try await RedisPlace(address: RedisAddress(redis), namespace: namespace).withOperations {
                try await body($0, decoder)
            }
        }
    }

    /// A server and what the keys there begin with.
    struct RedisPlace: Sendable {
        let address: RedisAddress
        let namespace: String

        /// Gives a body what looks after the queues, and ends the connection after it.
        func withOperations<Result>(_ body: (any QueueOperations) async throws -> Result) async throws -> Result {
            try await withClient { try await body(RedisTransport($0, configuration: .init(namespace: namespace))) }
        }

        /// Gives a body the client, and ends the connection after it.
        func withClient<Result>(_ body: (RedisClient) async throws -> Result) async throws -> Result {
            // What goes wrong is thrown, and told once.
            let silence = Logger(label: "dramatiq-workflow") { _ in SwiftLogNoOpLogHandler() }
            let client = try RedisClient(url: await address.url(), logger: silence)
            do {
                let result = try await body(client)
                await client.shutDown()
                return result
            } catch {
                await client.shutDown()
                throw error
            }
        }
    }

    extension QueueOperations {
        /// Does something with one queue of many. What is wrong with it alone keeps nothing else from being done; that
        /// there is no server does.
        ///
        /// - Parameter name: what it is done with.
        /// - Returns: what went wrong.
        func goingOn(_ name: String, _ body: () async throws -> Void) async throws -> [String] {
            do {
                try await body()
                return []
            } catch let error as any ConfinedError where error.isConfined {
                return ["\(name): \(error)"]
            }
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
