import NIOCore

/// Stands between a channel and the driver of its connection: decodes, and hands on what happens.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let driver: ConnectionDriver
    /// Which of the driver's attempts the channel belongs to; it listens to the newest only.
    private let attempt: Int
    private var decoder: RESPDecoder

    init(driver: ConnectionDriver, attempt: Int, limits: RESPLimits) {
        self.driver = driver
        self.attempt = attempt
        decoder = RESPDecoder(limits: limits)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { driver.connected(context.channel, attempt: attempt) }
    }

    func channelActive(context: ChannelHandlerContext) {
        driver.connected(context.channel, attempt: attempt)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard driver.isCurrent(attempt) else { return }
        let buffer = unwrapInboundIn(data)
        do {
            let (driver, attempt) = (self.driver, self.attempt)
            try decoder.decode(buffer.readableBytesUInt8Span) { driver.received($0, attempt: attempt) }
        } catch {
            driver.lost(error, attempt: attempt)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        driver.readCompleted(attempt: attempt)
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        driver.writabilityChanged(context.channel.isWritable, attempt: attempt)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        driver.lost(.connection(error), attempt: attempt)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        driver.lost(
            RedisError(.connectionClosed, "The server closed the connection", mayHaveTakenEffect: true),
            attempt: attempt)
        context.fireChannelInactive()
    }
}
