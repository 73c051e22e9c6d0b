import NIOCore
import NIOPosix
import NIOSSL

/// Makes channels to a server.
struct ChannelConnector: Sendable {
    let configuration: RedisConfiguration
    private let encryption: NIOSSLContext?

    /// - Throws: ``RedisError/Code/invalidConfiguration`` for files of certificates that can't be used.
    init(_ configuration: RedisConfiguration) throws(RedisError) {
        self.configuration = configuration
        encryption = try configuration.encryption.map { (encryption) throws(RedisError) in try encryption.context() }
    }

    /// Makes channels to another address in the same way.
    func connecting(to address: RedisConfiguration.Address) -> ChannelConnector {
        ChannelConnector(self, address)
    }

    private init(_ other: ChannelConnector, _ address: RedisConfiguration.Address) {
        var configuration = other.configuration
        configuration.address = address
        self.configuration = configuration
        encryption = other.encryption
    }

    /// Connects, with the driver's handler in the channel.
    func connect(_ driver: ConnectionDriver, attempt: Int, on eventLoop: any EventLoop) -> EventLoopFuture<any Channel>
    {
        let driver = NIOLoopBound(driver, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            // A batch of commands is one write, often larger than NIO's default.
            .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 18, high: 1 << 20))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let encryption {
                        try pipeline.addHandler(NIOSSLClientHandler(context: encryption, serverHostname: serverName))
                    }
                    try pipeline.addHandler(
                        RedisChannelHandler(
                            driver: driver.value, attempt: attempt, limits: configuration.replyLimits))
                }
            }
        return switch configuration.address.place {
        case .host(let name, let port): bootstrap.connect(host: name, port: port)
        case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
        }
    }

    /// The name that the certificate must be made out to; `nil` for a numeric address, which is then compared itself.
    private var serverName: String? {
        guard case .host(let name, _) = configuration.address.place else { return nil }
        return (try? SocketAddress(ipAddress: name, port: 0)) == nil ? name : nil
    }
}

extension RedisEncryption {
    fileprivate func context() throws(RedisError) -> NIOSSLContext {
        do {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.certificateVerification =
                switch verification.extent {
                case .full: .fullVerification
                case .certificateOnly: .noHostnameVerification
                case .none: .none
                }
            if let trustedCertificates { tls.trustRoots = .file(trustedCertificates) }
            if let certificateChain {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificateChain).map { .certificate($0) }
            }
            if let privateKey { tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: privateKey, format: .pem)) }
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw RedisError(
                .invalidConfiguration, "The certificates for an encrypted connection can't be used",
                underlyingError: error)
        }
    }
}

extension TimeAmount {
    /// As much of a duration as fits: none that is negative, at most a century, so that two of them still fit.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.boundedForRedis().components
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
