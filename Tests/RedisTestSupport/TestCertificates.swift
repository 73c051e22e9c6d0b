public import Foundation

/// Certificates for a server, made anew by `openssl` and trusted by nobody but who is told to.
public enum TestCertificates {
    /// The file of the authority that signed the server's certificate.
    public static func authority(in directory: URL) -> String { directory.appending(path: "ca.crt").path }

    static let directives = [
        "tls-cert-file server.crt", "tls-key-file server.key", "tls-ca-cert-file ca.crt", "tls-auth-clients optional",
    ]

    static func make(names: String, in directory: URL) throws {
        try Data("subjectAltName=\(names)\n".utf8).write(to: directory.appending(path: "names"))
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        let steps = [
            "req -x509 \(key) -days 2 -subj /CN=TestAuthority -keyout ca.key -out ca.crt",
            "req \(key) -subj /CN=localhost -keyout server.key -out server.csr",
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
        ]
        for step in steps {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["openssl"] + step.split(separator: " ").map(String.init)
            process.currentDirectoryURL = directory
            process.standardError = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw OpenSSLFailed(arguments: step) }
        }
    }

    public struct OpenSSLFailed: Error {
        public let arguments: String
    }
}
