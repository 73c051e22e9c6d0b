import CoreMetrics
import Dramatiq

/// The figures of a queue, as its transport tells of it.
struct QueueFigures {
    /// A message that is larger than this is not read to learn its age.
    private static let largestRead = 1 << 20

    private let waiting: Meter
    private let inFlight: Meter
    private let delayed: Meter
    private let dead: Meter
    private let age: Meter

    init(_ queue: String, _ factory: any MetricsFactory) {
        waiting = MetricDefinition.queueMessages.gauge(factory, queue, "waiting")
        inFlight = MetricDefinition.queueMessages.gauge(factory, queue, "in_flight")
        delayed = MetricDefinition.queueMessages.gauge(factory, queue, "delayed")
        dead = MetricDefinition.queueMessages.gauge(factory, queue, "dead")
        age = MetricDefinition.queueAge.gauge(factory, queue)
    }

    func set(_ status: QueueStatus, _ encoder: any MessageEncoder) {
        waiting.set(status.waiting)
        inFlight.set(status.inFlight)
        delayed.set(status.delayed)
        dead.set(status.deadLetters)
        guard let next = status.next else { return age.set(0) }
        // Otherwise the age stays what it was.
        if let age = Self.age(of: next, encoder) { self.age.set(age) }
    }

    /// How long ago a message was made, or tried last, in milliseconds; `nil` if it can't be told.
    private static func age(of payload: Delivery.Payload, _ encoder: any MessageEncoder) -> Double? {
        if case .bytes(let bytes) = payload, encoder.maxDecodedSize(of: bytes) > largestRead { return nil }
        guard let message = try? payload.message(decoder: encoder) else { return nil }
        let requeued = message.options.value("requeue_timestamp")?.doubleValue
        let age = SystemClock.fractionalMilliseconds() - (requeued ?? message.messageTimestamp.milliseconds)
        return age.isFinite ? max(0, age) : nil
    }
}
