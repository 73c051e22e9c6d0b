import Dramatiq
import DramatiqRedis
import RedisTestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RedisURLInteropTests {
    private static let urls = [
        "redis://", "redis://h", "redis://h/", "redis://h:7000", "redis://h:", "redis://h/3", "redis://h/3/",
        "redis://h//3",
        "redis://h/%33", "redis://h:7000/3?db=5", "redis://h?db=", "redis://h/2?db=", "redis://u@h", "redis://u:@h",
        "redis://:p@h", "redis://u:p@h:1/2", "redis://:@h", "redis://@h", "redis://us%40er:p%3Aa%2Fs%3Fs%23w%C3%B6rd@h",
        "redis://u:p:q@h", "redis://u:p@ss@h", "redis://[::1]", "redis://[::1]:7000/1", "redis://u:p@[fe80::1]:7000",
        "redis://127.0.0.1:6379/0", "redis://h?username=u&password=p", "redis://a:b@h?username=u&password=p",
        "redis://:b@h?username=u", "redis://h?client_name=a+b%2Bc", "redis://h?db=1&db=2",
        "redis://h?socket_timeout=2.5&socket_connect_timeout=1e-1", "redis://h?protocol=3&health_check_interval=30",
        "redis://h?max_connections=10&socket_keepalive=True&retry_on_timeout=no&decode_responses=1",
        "rediss://h", "rediss://u:p@h:7000/1?ssl_cert_reqs=none",
        "rediss://h?ssl_ca_certs=/a%20b&ssl_check_hostname=No",
        "unix:///s", "unix:///a%20b/s?db=2", "unix://u:p@/s", "unix://:p@/s?db=0", "unix://u@/s",
    ]

    /// What both take means the same to both.
    @Test func urlsMeanWhatTheyMeanToRedisPy() async throws {
        let lines = try await PythonPeer.run(["parse"], input: Self.urls.map { Array($0.utf8) })
        #expect(lines.count == Self.urls.count)
        for (url, line) in zip(Self.urls, lines) {
            let theirs = try #require(JSONValue(parsing: line).objectValue)
            let ours = try RedisConfiguration(url: url)
            let address: RedisConfiguration.Address =
                if let path = theirs["path"]?.stringValue {
                    .unixSocket(path: path)
                } else {
                    .host(theirs["host"]?.stringValue ?? "localhost", port: theirs["port"]?.intValue ?? 6379)
                }
            #expect(ours.address == address, "\(url)")
            #expect(ours.user == theirs["username"]?.stringValue, "\(url)")
            #expect(ours.password == theirs["password"]?.stringValue, "\(url)")
            #expect(ours.database == theirs["db"]?.intValue ?? 0, "\(url)")
            #expect(ours.clientName == theirs["client_name"]?.stringValue, "\(url)")
            #expect((ours.encryption != nil) == (theirs["encrypted"] == true), "\(url)")
            #expect(ours.encryption?.trustedCertificates == theirs["ssl_ca_certs"]?.stringValue, "\(url)")
            let seconds = theirs["socket_timeout"]?.doubleValue ?? 15
            #expect(ours.commandTimeout == .seconds(seconds), "\(url)")
        }
    }

    /// What redis-py doesn't take isn't taken here either.
    @Test func whatRedisPyRefusesIsRefused() async throws {
        let urls = [
            "http://h", "h:6379", "redis://h:x", "redis://h:70000", "redis://[::1", "redis://::1:6379",
            "redis://:pa/ss@h",
            "redis://h?db=x", "redis://h?socket_timeout=soon",
        ]
        let lines = try await PythonPeer.run(["parse"], input: urls.map { Array($0.utf8) })
        for (url, line) in zip(urls, lines) {
            let refusal = try JSONValue(parsing: line).objectValue?["error"]
            #expect(refusal != nil, "\(url)")
            #expect(throws: RedisError.self, "\(url)") { try RedisConfiguration(url: url) }
        }
    }
}
