import DramatiqRedis
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
        "redis://user@h", "redis://user:@h", "redis://h/x", "redis://h/-1", "redis://h/1/2", "redis://h?db=x",
        "redis://h?nonsense=1", "redis://h?ssl_cert_reqs=none", "rediss://h?ssl_cert_reqs=maybe", "redis://h#f",
        "redis://%zz", "redis://:%+1@h", "redis://:%4", "redis://:%ff@h", "unix://", "unix:///", "unix://host/path",
    ])
    func whatIsNoURLIsATypedErrorWithoutTheURL(url: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.isTransient == false)
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
