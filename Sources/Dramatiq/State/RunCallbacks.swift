/// The messages that are sent when a run ends: each as the JSON object that it is.
public struct RunCallbacks: Sendable, Hashable {
    /// How many bytes all of them may have together: 64 KiB.
    package static let maxSize = 64 << 10

    /// Sent when the run has succeeded.
    public var onSuccess: JSONObject?
    /// Sent when the run has failed, each time that it does.
    public var onFailure: JSONObject?
    /// Sent in both cases, and when the run is cancelled.
    public var onEnd: JSONObject?

    public init(onSuccess: JSONObject? = nil, onFailure: JSONObject? = nil, onEnd: JSONObject? = nil) {
        self.onSuccess = onSuccess
        self.onFailure = onFailure
        self.onEnd = onEnd
    }

    package var all: [JSONObject?] { [onSuccess, onFailure, onEnd] }

    public var isEmpty: Bool { onSuccess == nil && onFailure == nil && onEnd == nil }

    /// Those that are sent when a run comes to a state.
    package func messages(for state: RunState) -> [JSONObject] {
        [state == .succeeded ? onSuccess : state == .failed ? onFailure : nil, onEnd].compactMap(\.self)
    }
}
