import DramatiqWorkflow

/// For how long stored contents are kept, and who removes them then.
///
/// Objects have an age, counted from their date (`Last-Modified`), and what is needed again gets a new one: it is copied
/// onto itself. So objects can be removed by their age, in one of two ways.
///
/// **Sweeps** of this package (`dramatiq-workflow storage sweep`) remove what is older than ``age``, unless the object says
/// itself (`x-amz-meta-keep-until`) that a message waits for longer. A message may wait for as long as you like.
///
/// **A lifecycle rule** of the bucket needs nobody to sweep. It knows an object's age and nothing else, so a message can't
/// wait for longer than the rule leaves: with 46 days and the 16 of ``lifetime``, up to 30 days. A longer wait is refused
/// (``S3StoreError/Code/cannotBeKept``): a message with such a delay is not sent, and a dead letter with it, which says so
/// in the log, can lose its workflow if it isn't requeued in time. Tell the store of the rule with
/// `S3Retention(lifecycleDays: 46)`, or it relies on sweeps. The rule, for `aws s3api put-bucket-lifecycle-configuration`:
///
/// ```json
/// {
///   "Rules": [
///     {
///       "ID": "stored workflows",
///       "Status": "Enabled",
///       "Filter": {"Prefix": "workflows/"},
///       "Expiration": {"Days": 46},
///       "NoncurrentVersionExpiration": {"NoncurrentDays": 1}
///     }
///   ]
/// }
/// ```
public struct S3Retention: Sendable, Hashable {
    /// 16 days: longer than a barrier's life and the longest wait in a queue together, with a day to spare.
    public static let defaultLifetime: Duration =
        WorkflowMiddleware.defaultBarrierTTL + WorkflowMiddleware.defaultLongestWait + day
    /// How often an object is copied onto itself at most, if sweeps remove it and no wait needs more.
    static let renewalInterval = day
    private static let day = Duration.seconds(86_400)

    /// For how long what was needed is kept, besides the waits that the store is told of.
    public var lifetime: Duration
    /// After how many days the bucket's lifecycle rule removes an object; `nil` if there is none.
    public var lifecycleDays: Int?

    /// - Parameters:
    ///   - lifetime: for how long what was needed is kept: a barrier's life and the longest wait in a queue. Defaults to
    ///     16 days.
    ///   - lifecycleDays: after how many days the bucket's lifecycle rule removes an object. The nearer it is to the
    ///     lifetime, the more often objects are copied, and the shorter are the waits that can be kept. Defaults to `nil`:
    ///     there is no rule.
    public init(lifetime: Duration = S3Retention.defaultLifetime, lifecycleDays: Int? = nil) {
        self.lifetime = lifetime
        self.lifecycleDays = lifecycleDays
    }

    /// The age from which nothing needs an object any more that doesn't say otherwise.
    public var age: Duration {
        lifecycleDays.map { Self.day * Swift.min($0, 36_500) } ?? lifetime + Self.renewalInterval
    }
}
