#if Plugins
    import CommandLineSupport
    import Dramatiq
    import DramatiqDedupStorage
    import DramatiqFileStorage
    import DramatiqLZ4
    import DramatiqRedis
    import DramatiqS3Storage
    import DramatiqWorkflow
    import DramatiqZlib
    import Logging

    /// Where workflows are stored, as a person says it.
    struct StoragePlace: Sendable {
        static let help = """
            A place is a directory, as its path or file:PATH; a Redis server, as redis:env:NAME or redis:file:PATH, a \
            variable of the environment or a file with its URL, as redis: alone for the URL in \
            \(RedisAddress.variable), or as the URL itself, redis://HOST:PORT/DATABASE or rediss://…, if it has no \
            password, since everybody on the machine can list arguments; or a bucket in S3, as \
            s3://BUCKET/PREFIX?region=…&endpoint=…, with the credentials of the environment or the machine.
            """

        private enum Kind: Sendable {
            case directory(String)
            case redis(RedisAddress)
            case bucket(S3Configuration)
        }

        private let kind: Kind

        /// - Throws: ``ArgumentFault``.
        init(reading argument: String) throws(ArgumentFault) {
            guard !argument.isEmpty else { throw ArgumentFault("The place can't be empty") }
            if argument.hasPrefix("redis://") || argument.hasPrefix("rediss://") {
                kind = .redis(RedisAddress(argument))
            } else if argument.hasPrefix("redis:") {
                let rest = String(argument.dropFirst("redis:".count))
                guard rest.isEmpty || rest.hasPrefix("env:") || rest.hasPrefix("file:") else {
                    throw ArgumentFault("After redis: there is env:NAME, file:PATH, //HOST:PORT, or nothing")
                }
                kind = .redis(RedisAddress(rest.isEmpty ? nil : rest))
            } else if argument.hasPrefix("s3:") {
                do throws(S3StoreError) {
                    kind = .bucket(try S3Configuration(url: argument))
                } catch {
                    throw ArgumentFault("\(error)")
                }
            } else if argument.hasPrefix("file:") {
                let path = String(argument.dropFirst("file:".count))
                guard !path.hasPrefix("//") || path.hasPrefix("///") else {
                    throw ArgumentFault("A directory is given as file:PATH or file:///PATH, without a host")
                }
                let plain = path.hasPrefix("///") ? String(path.dropFirst(2)) : path
                guard !plain.isEmpty else { throw ArgumentFault("The directory can't be empty") }
                kind = .directory(plain)
            } else {
                kind = .directory(argument)
            }
        }

        /// Gives a body the store, and ends its connections after it.
        ///
        /// - Parameter compressor: compresses what the body stores; `nil` for none. What is compressed is read anyway.
        /// - Throws: what the body throws; `FileError`, ``RedisAddressError``, `RedisError` if there is no place.
        func withStore<Result>(
            namespace: String,
            ttl: Duration,
            compressor: (any Compressor)? = nil,
            _ body: (OpenedStore) async throws -> Result
        ) async throws -> Result {
            switch kind {
            case .directory(let path):
                let directory = StorageDirectory(
                    path, compressor: compressor, readableCompressors: Self.readable, access: .asFound)
                return try await body(OpenedStore(directory))
            case .redis(let address):
                return try await RedisPlace(address: address, namespace: namespace).withClient { client in
                    let store = RedisWorkflowStore(client, namespace: namespace, ttl: ttl)
                    return try await body(OpenedStore(readable(store, compressor)))
                }
            case .bucket(let configuration):
                return try await body(OpenedStore(readable(try S3WorkflowStore(configuration), compressor)))
            }
        }

        private static let readable: [any Compressor] = [LZ4Compressor(), ZlibCompressor()]

        private func readable<Store: WorkflowStoreOperations>(
            _ store: Store,
            _ compressor: (any Compressor)?
        ) -> CompressedWorkflowStore<Store> {
            CompressedWorkflowStore(
                store, compressor: compressor, readable: Self.readable, maxSize: StorageDirectory.defaultMaxSize)
        }
    }

    /// A store that can be looked after.
    struct OpenedStore: Sendable {
        let store: any WorkflowStoreOperations
        /// What one content is kept in.
        let noun: String
        private let verification: @Sendable () async throws -> VerificationReport

        fileprivate init(_ directory: StorageDirectory) {
            store = FileWorkflowStore(directory)
            noun = "file"
            // Knows of links and directories where files should be.
            verification = { try await directory.verify() }
        }

        fileprivate init(_ store: some WorkflowStoreOperations) {
            self.store = store
            noun = "content"
            verification = { try await store.verify() }
        }

        func verify() async throws -> VerificationReport { try await verification() }
    }
#endif
