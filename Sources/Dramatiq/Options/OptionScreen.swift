import Logging
import Synchronization

/// Looks over a message's options before its actor runs.
///
/// Most options are of no concern, so it looks at a name only if it is as long as one of those that are.
final class OptionScreen: Sendable {
    /// What there is to do about an option.
    private enum Concern: Sendable {
        /// Somebody serves it and wants it to be checked.
        case checked(@Sendable (JSONValue) throws -> [ActorAddress])
        /// Nobody serves it.
        case unserved(by: String, losesWork: Bool)
    }

    private let concerns: [TextKey: Concern]
    /// A bit for each length of a name; longer ones share the last.
    private let lengths: UInt64
    /// Which options of which actors' messages were warned of.
    private let warned = Mutex<Set<[String]>>([])
    private let logger: Logger

    init(_ served: [ServedOption], logger: Logger) {
        self.logger = logger
        var concerns: [TextKey: Concern] = [:]
        for option in WireOption.all {
            guard let middleware = option.middleware else { continue }
            concerns[TextKey(option.name)] = .unserved(by: middleware, losesWork: option.losesWork)
        }
        for option in served {
            // Of two middleware that serve an option, one may look closer.
            let name = TextKey(option.name)
            if let addresses = option.addresses {
                concerns[name] = .checked(addresses)
            } else if case .unserved? = concerns[name] {
                concerns[name] = nil
            }
        }
        self.concerns = concerns
        lengths = concerns.keys.reduce(0) { $0 | Self.bit($1.text) }
    }

    private static func bit(_ name: String) -> UInt64 { 1 << UInt64(min(name.utf8.count, 63)) }

    /// The actors that get messages by an actor's options.
    ///
    /// - Throws: ``BrokerError/Code/invalidTarget`` for a value that can't be read.
    func targets(of actor: any AnyTaskActor) throws(BrokerError) -> [ActorTarget] {
        var targets: [ActorTarget] = []
        for option in actor.options.names.sorted() {
            guard case .checked(let addresses)? = concerns[TextKey(option)], let value = actor.options.json(option)
            else {
                continue
            }
            let source = "Actor '\(actor.name)'"
            do {
                targets += try addresses(value).map { ActorTarget(of: source, option: option, address: $0) }
            } catch {
                throw .invalidTarget(of: source, option: option, reason: "\(value): \(error)")
            }
        }
        return targets
    }

    /// Why a message can't be processed on account of its options; `nil` if it can.
    func refusal(_ context: MessageContext) -> OptionError? {
        guard case .list(let members, _) = context.delivered.message.options.object.storage else {
            return context.delivered.message.options.object.members.lazy.compactMap { self.refusal($0, context) }.first
        }
        for index in members.indices where lengths & Self.bit(members[index].key) != 0 {
            if let refusal = refusal(members[index], context) { return refusal }
        }
        return nil
    }

    private func refusal(_ member: JSONObject.Member, _ context: MessageContext) -> OptionError? {
        guard member.verbatimKey == nil, let concern = concerns[TextKey(member.key)] else { return nil }
        let option = OptionValue(member.key, member.value, messageID: context.message.messageID)
        switch concern {
        case .checked(let addresses):
            do {
                for address in try addresses(member.value) { _ = try context.broker.queue(of: address) }
                return nil
            } catch {
                return option.error("\(error)")
            }
        case .unserved(let middleware, let losesWork):
            guard option.isTruthy else { return nil }
            if losesWork {
                return option.error(
                    "no middleware of this worker's broker serves it, and without \(middleware) work would be lost")
            }
            warn(option, middleware, context)
            return nil
        }
    }

    private func warn(_ option: OptionValue, _ middleware: String, _ context: MessageContext) {
        let actor = context.delivered.actor.name
        guard warned.withLock({ $0.insert([actor, option.name]).inserted }) else { return }
        logger.warning(
            "Messages ask for something that no middleware of this broker serves",
            metadata: [
                "option": "\(option.name)",
                "middleware": "\(middleware)",
                "actor_name": "\(actor)",
                "message_id": "\(context.message.messageID)",
            ]
        )
    }
}
