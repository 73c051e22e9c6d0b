import AsyncHTTPClient
import Dramatiq
import Logging
import NIOCore
import NIOHTTP1

/// Sends requests to a bucket: signs them, repeats what fails for a reason that may be over soon, and makes errors of
/// everything that wasn't expected.
struct S3Client: Sendable {
    /// Wrong bytes may come from a bad connection; if they come again, they are what is there.
    private static let maxDamaged = 3

    let configuration: S3Configuration
    let endpoint: S3Endpoint
    let credentials: CredentialsCache
    let http: HTTPClient
    let logger: Logger

    /// - Parameter check: looks at an answer that has one of the expected statuses.
    /// - Throws: ``S3StoreError``; `CancellationError`.
    func send(
        _ request: S3Request,
        check: (S3Response) throws(S3StoreError) -> Void = { _ throws(S3StoreError) in }
    ) async throws -> S3Response {
        try await repeating(request) { timeout, hasNewCredentials in
            let response = try await response(to: request, within: timeout, &hasNewCredentials)
            try check(response)
            return response
        }
    }

    /// Sends a request right after a look, also when it is repeated.
    ///
    /// - Parameter allows: whether the request is to be sent, after what was seen.
    /// - Throws: ``S3StoreError``, with the code `missing` if there is nothing to look at; `CancellationError`.
    func send(
        _ request: S3Request,
        after look: S3Request,
        if allows: (S3Response) -> Bool
    ) async throws -> S3Response? {
        try await repeating(request) { timeout, hasNewCredentials in
            let seen = try await response(to: look, within: timeout, &hasNewCredentials)
            guard allows(seen) else { return nil }
            return try await response(to: request, within: timeout, &hasNewCredentials)
        }
    }

    /// Does something again while it may work soon, for as long as the configuration's patience lasts.
    ///
    /// - Parameter attempt: gets the longest time that each of its requests may take, and whether there were new
    ///   credentials.
    private func repeating<Result>(
        _ request: S3Request,
        _ attempt: (Duration, inout Bool) async throws -> Result
    ) async throws -> Result {
        let clock = ContinuousClock()
        let end = clock.now + configuration.patience
        var (attempts, damaged, hasNewCredentials) = (0, 0, false)
        var earlier: S3StoreError?
        while true {
            try Task.checkCancellation()
            let left = clock.now.duration(to: end)
            do {
                return try await attempt(min(configuration.requestTimeout, left), &hasNewCredentials)
            } catch let error as S3StoreError {
                // An attempt that was cut short says less than the one before.
                if error.code == .timedOut, left < configuration.requestTimeout, let earlier { throw earlier }
                earlier = error
                if error.code == .corrupt { damaged += 1 }
                guard error.isTransient || (error.code == .corrupt && damaged < Self.maxDamaged) else { throw error }
                let pause = pause(after: attempts)
                attempts += 1
                guard clock.now + pause < end else { throw error }
                logger.debug(
                    "A request to S3 is repeated",
                    metadata: [
                        "bucket": "\(error.bucket)", "key": "\(error.key)", "attempt": "\(attempts)",
                        "reason": "\(PrintableText.escape("\(error)", limit: PrintableText.logLimit))",
                    ])
                try await Task.sleep(for: pause)
            }
        }
    }

    /// Between nothing and all of a time that doubles with each attempt: those who failed together don't come back
    /// together. https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    private func pause(after attempt: Int) -> Duration {
        let longest = min(configuration.maxBackoff, configuration.minBackoff * (1 << min(attempt, 20)))
        return longest * Double.random(in: 0...1)
    }

    /// One attempt; a second one with new credentials if the server says that the old ones have ended.
    private func response(
        to request: S3Request,
        within timeout: Duration,
        _ hasNewCredentials: inout Bool
    ) async throws -> S3Response {
        let signer = try await signer(request, within: timeout)
        do {
            return try await answer(to: request, signedBy: signer, within: timeout)
        } catch let error as S3StoreError
            where !hasNewCredentials && S3StoreError.endedCredentials.contains(error.serverCode ?? "")
        {
            hasNewCredentials = true
            credentials.discard(signer)
            let signer = try await self.signer(request, within: timeout)
            return try await answer(to: request, signedBy: signer, within: timeout)
        }
    }

    private func signer(_ request: S3Request, within timeout: Duration) async throws -> S3Credentials {
        do {
            return try await withTimeout(timeout) { [credentials] in try await credentials.credentials() }
        } catch is TimedOut {
            throw error(.noCredentials, request, "They were not there in time", isTransient: true)
        } catch {
            try Task.checkCancellation()
            throw self.error(
                .noCredentials, request, PrintableText.escape("\(error)", limit: PrintableText.logLimit),
                isTransient: (error as? any TransientError)?.isTransient ?? false)
        }
    }

    private func answer(
        to request: S3Request,
        signedBy signer: S3Credentials,
        within timeout: Duration
    ) async throws -> S3Response {
        let now = UTCDate(seconds: SystemClock.milliseconds() / 1000)
        let signed = request.signed(for: endpoint, region: configuration.region, by: signer, at: now)
        let response: S3Response
        do {
            response = try await withTimeout(timeout) { [self] in
                let response = try await http.execute(signed, deadline: .distantFuture)
                guard response.history.count <= 1 else {
                    throw error(.redirected, request, "The HTTP client followed a redirect, which it must not")
                }
                return try await complete(response, request, now)
            }
        } catch let error as S3StoreError {
            throw error
        } catch is TimedOut {
            throw error(.timedOut, request, "There was no complete answer within \(timeout)")
        } catch {
            try Task.checkCancellation()
            throw self.error(.connectionFailed, request, PrintableText.escape("\(error)", limit: 1024))
        }
        guard request.expected.contains(response.status) else {
            throw S3StoreError(response, to: request, bucket: configuration.bucket, signedBy: signer)
        }
        return response
    }

    private func complete(
        _ response: HTTPClientResponse,
        _ request: S3Request,
        _ now: UTCDate
    ) async throws -> S3Response {
        let status = Int(response.status.code)
        let limit = request.expected.contains(status) ? request.maxAnswer : S3Request.smallAnswer
        let length = response.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        // An object, and not what the server has to say of one.
        let isContent = request.method == "GET" && !request.key.isEmpty && request.expected.contains(status)
        let code: S3StoreError.Code = isContent ? .tooLarge : .malformedReply
        guard request.method == "HEAD" || length <= limit else {
            throw error(code, request, "It has \(length) bytes, the limit is \(limit)")
        }
        var body: [UInt8] = []
        do {
            for try await part in response.body {
                guard part.readableBytes <= limit - body.count else {
                    throw error(code, request, "It has more bytes than the limit, which is \(limit)")
                }
                body += part.readableBytesView
            }
        }
        // The sequence may end early when its task is cancelled.
        try Task.checkCancellation()
        let date = response.headers.first(name: "date").flatMap { UTCDate(http: $0) } ?? now
        return S3Response(status: status, headers: response.headers, body: body, date: date.seconds)
    }

    func error(
        _ code: S3StoreError.Code,
        _ request: S3Request,
        _ reason: String,
        isTransient: Bool? = nil
    ) -> S3StoreError {
        S3StoreError(
            code, request.operation, bucket: configuration.bucket, key: request.key, reason, isTransient: isTransient)
    }
}
