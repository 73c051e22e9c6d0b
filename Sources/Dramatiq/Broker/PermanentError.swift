/// An error that comes again however often the step is repeated: bytes that are no message, a value that can't be
/// encoded. A worker doesn't repeat a step that fails with one.
public protocol PermanentError: Error {}

extension BrokerError: PermanentError {}
extension DecodeError: PermanentError {}
extension EncodeError: PermanentError {}
extension ArgumentFailure: PermanentError {}
extension ResultNotEncodable: PermanentError {}
