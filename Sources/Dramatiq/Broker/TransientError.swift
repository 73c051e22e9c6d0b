/// An error that says nothing about the message: the same step will work once an outage is over.
///
/// Transports and backends mark the loss of a connection, a server that is still loading and the like with it. A
/// worker then repeats the step until it works instead of giving the message up.
public protocol TransientError: Error {
    /// Whether it is such an error; for types that also stand for others.
    var isTransient: Bool { get }
    /// Whether there is nobody to talk to at present, as opposed to a server that is there and is full: what is sent is
    /// only repeated then. The same as ``isTransient`` unless implemented.
    var isOutage: Bool { get }
}

extension TransientError {
    /// It is.
    public var isTransient: Bool { true }
    public var isOutage: Bool { isTransient }
}
