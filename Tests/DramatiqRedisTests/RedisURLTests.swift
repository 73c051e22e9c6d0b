import DramatiqRedis
import TestSupport
import Testing

@Suite struct RedisURLTests {
    @Test(arguments: [
        ("redis://", "localhost:6379"), ("redis://example.com", "example.com:6379"),
        ("redis://example.com/", "example.com:6379"), ("REDIS://127.0.0.1:1", "127.0.0.1:1"),
        ("redis://[::1]", "[::1]:6379"), ("redis://[::1]:7000/3", "[::1]:7000"),
        ("redis://a:b@example.com:65535", "example.com:65535"), ("unix:///run/redis.sock", "/run/redis.sock"),
        ("redis+unix://:pw@/run/a%20b", "/run/a b"), ("rediss://h", "h:6379"),
    ])
    func addresses(url: String, address: String) throws {
        #expect(try RedisConfiguration(url: url).address.description == address)
    }

    @Test func userPasswordAndDatabase() throws {
        var configuration = try RedisConfiguration(url: "redis://us%40er:p%3Aass%2Fw%C3%B6rd@h/12")
        #expect(configuration.user == "us@er")
        #expect(configuration.password == "p:ass/w\u{f6}rd")
        #expect(configuration.database == 12)
        configuration = try RedisConfiguration(url: "redis://:a:b@h?db=4&client_name=w%201")
        #expect(configuration.user == nil)
        #expect(configuration.password == "a:b")
        #expect(configuration.database == 4)
        #expect(configuration.clientName == "w 1")
        #expect(configuration.encryption == nil)
        #expect(try RedisConfiguration(url: "unix://u:p@/s?db=2").database == 2)
        #expect(try RedisConfiguration(url: "redis://:@h").password == nil)
    }

    @Test func encryption() throws {
        #expect(try RedisConfiguration(url: "rediss://h").encryption == RedisEncryption())
        #expect(
            try RedisConfiguration(url: "rediss://h?ssl_cert_reqs=none").encryption?.verification
                == RedisEncryption.Verification.none)
        #expect(
            try RedisConfiguration(
                url:
                    "rediss://h?ssl_cert_reqs=required&ssl_check_hostname=False&ssl_ca_certs=/c%2Ba&ssl_certfile=/b&ssl_keyfile=/k"
            )
            .encryption
                == RedisEncryption(
                    verification: .certificateOnly, trustedCertificates: "/c+a", certificateChain: "/b",
                    privateKey: "/k"))
    }

    @Test(arguments: [
        "", "redis", "redis:/h", "http://h", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://[::1]x",
        "redis://h:+1", "redis://a b", "redis://a%00b", "redis://[h]", "redis://h/x", "redis://h/-1", "redis://h/1/2",
        "redis://h?db=x",
        "redis://h?nonsense=1", "redis://h?ssl_cert_reqs=none", "rediss://h?ssl_cert_reqs=maybe", "redis://h#f",
        "redis://%zz", "redis://:%+1@h", "redis://:%4", "redis://:%ff@h", "unix://", "unix:///", "unix://host/path",
        "rediss://h?ssl_ciphers=none", "redis://h?socket_timeout=0", "redis://h?socket_timeout=inf",
        "redis://h?protocol=4",
    ])
    func whatIsNoURLIsATypedErrorWithoutTheURL(url: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.isTransient == false)
    }

    /// The error says what to do, and never repeats what may be of a password.
    @Test(arguments: [
        ("redis://:pas/qzx@h", "%2F"), ("redis://u:123/qzx@h", "%2F"), ("redis://:pas?qzx@h", "%3F"),
        ("redis://:123?qzx@h", "%3F"), ("redis://u?qzx=1@h", "%3F"), ("redis://:pas#qzx@h", "%23"),
        ("unix://:pas/qzx@/s", "%2F"), ("redis://[::1", "brackets"), ("redis://::1:6379", "brackets"),
        ("redis://::1]:6379", "brackets"), ("redis://h:port", "port"), ("redis://h/name", "database"),
        ("redis://h?shards=3", "'shards'"), ("rediss://h?ssl_ca_data=x", "'ssl_ca_data'"),
        ("redis://h?ssl_cert_reqs=none", "rediss://"), ("redis://h?socket_timeout=soon", "'socket_timeout'"),
        ("redis://%zz:qzx@h", "hexadecimal"), ("redis://:qzx%ff@h", "UTF-8"), ("redis://:qzx@h/1/2", "database"),
        ("redis://h?password=qzx%zz", "hexadecimal"),
    ])
    func errorsNameWhatIsWrong(url: String, hint: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("qzx") == false && error?.description.contains("pas/") == false)
    }

    @Test func randomTextIsAnErrorOrAConfiguration() {
        var random = SeededGenerator(seed: 1)
        let pieces =
            ["redis", "rediss", "unix", "://", ":", "/", "@", "[", "]", "?", "&", "=", "%", "%4", "%41", "#", "db"]
            + [
                "h", "1", "99999999999999999999", "\u{0}", "\u{e9}", "::1", "ssl_cert_reqs", "socket_timeout", "-", "+",
                " ",
            ]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...9, using: &random)
            let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            _ = try? RedisConfiguration(url: (Bool.random(using: &random) ? "redis://" : "") + text)
        }
    }

    @Test func timesAreThoseOfTheSocket() throws {
        let configuration = try RedisConfiguration(url: "redis://h?socket_timeout=0.25&socket_connect_timeout=1e300")
        #expect(configuration.commandTimeout == .milliseconds(250))
        #expect(configuration.connectTimeout > .seconds(1_000_000_000))
    }

    @Test func whatIsPrintedHasNoPassword() throws {
        let configuration = try RedisConfiguration(url: "rediss://worker:hidden@h/3")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped, "\([configuration])"] {
            #expect(text.contains("encrypted worker@h:6379, database 3") && !text.contains("hidden"))
        }
    }

    @Test func errorsDoNotRepeatThePassword() {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: "redis://u:secret%zz@h") }
        #expect(error?.description.contains("secret") == false)
    }
}
