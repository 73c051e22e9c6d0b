import NIOCore
import NIOPosix
import NIOSSL

extension RedisError {
    /// What became of a connection, from what NIO threw.
    static func connection(_ error: any Error) -> RedisError {
        switch error {
        case let error as RedisError: error
        case let error as NIOSSLError where isTrustFailure(error):
            RedisError(.encryptionFailed, "No encrypted connection could be made", underlyingError: error)
        case is NIOSSLExtraError:
            RedisError(.encryptionFailed, "No encrypted connection could be made", underlyingError: error)
        default:
            RedisError(
                .connectionClosed, "The connection was lost", mayHaveTakenEffect: true, underlyingError: error)
        }
    }

    /// Why no connection was made, from what NIO threw.
    static func connecting(_ error: any Error, to address: RedisConfiguration.Address) -> RedisError {
        switch error {
        case let error as RedisError: error
        case ChannelError.connectTimeout: connectTimeout(address)
        default: RedisError(.connectionFailed, "No connection to \(address)", underlyingError: error)
        }
    }

    /// The connection was lost before it was ready for commands.
    static func connectionFailed(_ error: RedisError) -> RedisError {
        RedisError(.connectionFailed, "The connection was lost before it was ready", underlyingError: error)
    }

    static func connectTimeout(_ address: RedisConfiguration.Address) -> RedisError {
        RedisError(.connectTimeout, "No connection to \(address) in time")
    }

    private static func isTrustFailure(_ error: NIOSSLError) -> Bool {
        switch error {
        case .handshakeFailed(.sslError), .unableToValidateCertificate, .noCertificateToValidate: true
        default: false
        }
    }
}
