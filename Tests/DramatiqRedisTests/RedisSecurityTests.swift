import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RedisSecurityTests {
    @Test func usersAndPasswords() async throws {
        try await withRedisServer(.password) { server in
            for credentials in ["worker:pass%2Fword@", ":secret@"] {
                let url = server.url.replacing(server.setup.credentials, with: credentials)
                try await withRedis(url) { redis async throws in
                    let user = credentials.hasPrefix(":") ? "default" : "worker"
                    #expect(try await redis.execute(RedisCommand("ACL", "WHOAMI")).string() == user)
                    // And again on the next connection.
                    try await loseConnection(redis)
                    #expect(try await redis.execute(RedisCommand("ACL", "WHOAMI")).string() == user)
                    #expect(try await redis.block(RedisCommand("ACL", "WHOAMI"), timeout: nil).string() == user)
                }
            }
        }
    }

    @Test(arguments: ["", ":wrong@", "worker:wrong@", "nobody:secret@"])
    func wrongPasswordsAreRefused(credentials: String) async throws {
        try await withRedisServer(.password) { server in
            let url = server.url.replacing(server.setup.credentials, with: credentials)
            try await withRedis(url) { redis in
                for _ in 0..<2 {
                    let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                    #expect(error?.code == .authenticationFailed && error?.isTransient == false)
                    #expect(error?.description.contains("wrong") == false)
                }
            }
        }
    }

    @Test func anEncryptedConnectionThatIsTrusted() async throws {
        try await withRedisServer(.encrypted) { server in
            let authority = TestCertificates.authority(in: server.directory)
            for host in ["127.0.0.1", "localhost"] {
                let url = server.url.replacing("127.0.0.1", with: host) + "?ssl_ca_certs=\(authority)"
                try await withRedis(url) { redis in
                    let large = [UInt8](repeating: 9, count: 1_000_000)
                    _ = try await redis.execute(RedisCommand("SET", "large", large))
                    #expect(try await redis.execute(RedisCommand("GET", "large")).bytes() == large)
                }
            }
        }
    }

    @Test func aCertificateThatIsNotTrustedOrForAnotherHostIsRefused() async throws {
        try await withRedisServer(.encrypted) { server in
            for url in [server.url, server.url.replacing("127.0.0.1", with: "localhost")] {
                try await withRedis(url) { redis in
                    for _ in 0..<2 {
                        let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                        #expect(error?.code == .encryptionFailed && error?.isTransient == false)
                        #expect(error?.mayHaveTakenEffect == false)
                    }
                }
            }
        }
        try await withRedisServer(.misnamed) { server in
            let authority = TestCertificates.authority(in: server.directory)
            for url in [server.url, server.url.replacing("127.0.0.1", with: "localhost")] {
                try await withRedis(url + "?ssl_ca_certs=\(authority)") { redis in
                    let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                    #expect(error?.code == .encryptionFailed && error?.isTransient == false)
                }
                for options in ["ssl_cert_reqs=none", "ssl_ca_certs=\(authority)&ssl_check_hostname=false"] {
                    try await withRedis(url + "?" + options) { redis async throws in
                        #expect(try await redis.execute(RedisCommand("PING")).string() == "PONG")
                    }
                }
            }
        }
    }

    @Test func encryptionOfOneSideOnlyIsNamed() async throws {
        try await withRedisServer { server in
            // Redis waits for the end of a line, which a greeting of TLS doesn't have.
            let url = server.url.replacing("redis:", with: "rediss:")
            try await withRedis(url, { $0.connectTimeout = .milliseconds(300) }) { redis in
                let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                #expect(error?.code == .encryptionFailed && error?.mayHaveTakenEffect == false)
                #expect(error?.isTransient == false && error?.message.contains("redis://") == true)
            }
        }
        try await withRedisServer(.encrypted) { server in
            try await withRedis(server.url.replacing("rediss:", with: "redis:")) { redis in
                let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                #expect(error?.code == .encryptionFailed && error?.mayHaveTakenEffect == false)
                #expect(error?.isTransient == false && error?.message.contains("rediss://") == true)
            }
        }
    }

    @Test func anEncryptedServerThatRestartsIsATransientError() async throws {
        try await withRedisServer(.encrypted) { server in
            let authority = TestCertificates.authority(in: server.directory)
            try await withRedis(server.url + "?ssl_ca_certs=\(authority)") { redis in
                _ = try await redis.execute(RedisCommand("PING"))
                let waiting = Task {
                    await redisError { try await redis.block(RedisCommand("BLPOP", "queue", 0), timeout: nil) }
                }
                try await eventually {
                    try await redis.execute(RedisCommand("INFO", "clients")).string().contains("blocked_clients:1\r\n")
                }
                try await server.restart()
                let error = await waiting.value
                #expect(error?.code == .connectionClosed && error?.isTransient == true)
                try await eventually { (try? await redis.execute(RedisCommand("PING"))) != nil }
            }
        }
    }

    @Test func certificatesThatAreNoneAreFoundBeforeConnecting() async throws {
        for option in ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"] {
            let error = await redisError { try RedisClient(url: "rediss://localhost?\(option)=/nowhere") }
            #expect(error?.code == .invalidConfiguration)
        }
    }
}
