import Dramatiq
public import DramatiqWorkflow

/// A content's age is that of its object, or of the end of the longest wait that it was refreshed for. S3 can't look at it
/// and remove the object in one step. Conditions of `DELETE` compare its ETag, which is the same after the copy that
/// renews it; those that compare its date are for directory buckets only
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html). So a sweep looks at each object right
/// before it sends the request, and again before it repeats it. What is left is the way of one request: an object that is
/// renewed in that moment is lost.
///
/// With the age that is the default nothing renews an object by then: what refers to it needs it again within
/// ``S3Retention/lifetime``, which has a day to spare, or says for how long it waits, and until that is over no sweep
/// touches it. Only who sweeps by a shorter age, or stores the same content again after all that time, with the same ids
/// of messages, can meet that moment. A lifecycle rule has none, and a bucket with versions still has the earlier one.
///
/// Lists don't tell for what time a message waits with a content, so the objects that seem to be over are looked at one by
/// one. With a lifecycle rule there is nothing to tell, and nothing to sweep.
extension S3WorkflowStore: WorkflowStoreOperations {
    /// How many objects are looked at at the same time.
    private static let width = 8

    public var retention: Duration { configuration.retention.age }

    /// - Throws: ``S3StoreError``, `CancellationError`.
    public func contents(after position: String?) async throws -> StoredContentPage {
        let (list, now) = try await objects.list(after: position)
        guard list.continuation == nil || list.continuation != position else {
            throw error(.malformedReply, "list", "", "The server answers with the same page again and again")
        }
        var page = StoredContentPage(next: list.continuation)
        var old: [StoredContent] = []
        for object in list.objects {
            guard let name = name(ofKey: object.key) else {
                page.foreignCount += 1
                continue
            }
            let content = stored(name, object.size, Renewal.Dates(modified: object.modified), now)
            if configuration.retention.lifecycleDays == nil, let age = content.age, age > retention {
                old.append(content)
            } else {
                page.contents.append(content)
            }
        }
        page.contents += try await lookedAt(old)
        return page
    }

    /// Contents that seem to be over, with what their objects say of waits. Those that are gone meanwhile are left out.
    private func lookedAt(_ contents: [StoredContent]) async throws -> [StoredContent] {
        try await withThrowingTaskGroup(of: StoredContent?.self) { group in
            var found: [StoredContent] = []
            for (index, content) in contents.enumerated() {
                if index >= Self.width, let next = try await group.next() { found += [next].compactMap(\.self) }
                group.addTask { try await stored(named: content.name) }
            }
            for try await next in group { found += [next].compactMap(\.self) }
            return found
        }
    }

    /// - Throws: ``S3StoreError``, `CancellationError`.
    public func stored(named name: String) async throws -> StoredContent? {
        guard let key = key(ofName: name), let object = try await objects.head(key, "look at") else { return nil }
        return stored(name, object.size, object.dates, object.now)
    }

    /// - Throws: ``S3StoreError``, `CancellationError`.
    public func content(named name: String) async throws -> [UInt8]? {
        guard let key = key(ofName: name) else { return nil }
        do {
            return try await objects.get(key).content
        } catch let error as S3StoreError where error.code == .missing {
            return nil
        }
    }

    /// - Throws: ``S3StoreError``, `CancellationError`.
    @discardableResult
    public func remove(named name: String, olderThan age: Duration) async throws -> Bool {
        guard let key = key(ofName: name) else { return false }
        return try await objects.remove(key) { object in
            stored(name, object.size, object.dates, object.now).age.map { $0 > age } ?? false
        }
    }

    private func stored(_ name: String, _ size: Int, _ dates: Renewal.Dates?, _ now: Int) -> StoredContent {
        let age = dates.map { Renewal.age($0, now: now, configuration.retention) }
        let limit = configuration.retention.lifecycleDays.map { _ in configuration.retention.age }
        return StoredContent(
            name: name, size: size, age: age, timeLeft: limit.flatMap { limit in age.map { limit - $0 } })
    }
}
