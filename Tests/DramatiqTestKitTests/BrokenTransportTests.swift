import Dramatiq
import DramatiqTestKit
import DramatiqWorkflow
import Synchronization
import TestSupport
import Testing

/// Transports that are wrong in one way are caught by the promise that is about it.
@Suite(.timeLimit(.minutes(10))) struct BrokenTransportTests {
    private static let claims = InMemoryTransportSubject.workflowClaims.subtracting([.immediacy])

    private func expectBroken(
        _ name: String,
        claims: Set<Claim> = [],
        patience: Duration = .seconds(60),
        sourceLocation: SourceLocation = #_sourceLocation,
        _ wrap: @escaping @Sendable (inout TamperedTransport) -> Void
    ) async throws {
        let subject = InMemoryTransportSubject(
            claims: Self.claims.union(claims), patience: patience,
            wrapping: { base in
                var transport = TamperedTransport(base: base)
                wrap(&transport)
                return transport
            })
        _ = try await DramatiqTestKitTests.expectBroken(
            name, of: TransportPromises.all + WorkflowPromises.all, on: subject, sourceLocation: sourceLocation)
    }

    @Test func oneThatLosesAnAcknowledgement() async throws {
        try await expectBroken("an acknowledged message never comes back") { transport in
            transport.change = { commit in
                if commit.end?.outcome == .acknowledge { commit.end = nil }
            }
        }
    }

    /// The in-memory transport itself, if it claimed that answers can be lost on the way to it.
    @Test func oneThatDoesARepeatedCommitTwice() async throws {
        try await expectBroken("sending that is repeated because its answer was lost is done once") { _ in }
        try await expectBroken("sending many messages can be repeated after a lost answer") { _ in }
        try await expectBroken("a commit that is repeated because its answer was lost is done once") { _ in }
    }

    @Test func oneThatGivesCommitsUp() async throws {
        try await expectBroken("a commit goes on when its task is cancelled", claims: [.steadyCommits]) { transport in
            transport.changeTraits = { $0.commitsIgnoreCancellation = true }
            transport.changeResults = { results in
                if Task.isCancelled { results = results.map { _ in .failure(CancellationError()) } }
            }
        }
    }

    @Test func oneThatReturnsMessagesToTheBack() async throws {
        try await expectBroken("a returned message goes to the front of its queue") { transport in
            transport.change = { commit in
                guard let end = commit.end, end.outcome == .requeue,
                    let message = try? end.delivery.message(decoder: JSONMessageEncoder())
                else { return }
                commit.end?.outcome = .acknowledge
                commit.sends.append(Envelope(message, encoder: JSONMessageEncoder()))
            }
        }
    }

    @Test func oneThatDropsWhatIsRejected() async throws {
        try await expectBroken("a rejected message is kept as a dead letter, with its reason") { transport in
            transport.change = { commit in
                if case .reject? = commit.end?.outcome { commit.end?.outcome = .acknowledge }
            }
        }
    }

    @Test func oneThatForgetsTheReason() async throws {
        try await expectBroken("a rejected message is kept as a dead letter, with its reason") { transport in
            transport.change = { commit in
                if case .reject? = commit.end?.outcome { commit.end?.outcome = .reject(reason: "") }
            }
        }
    }

    @Test func oneThatKeepsNoOrder() async throws {
        for name in [
            "messages are delivered in the order in which they were sent",
            "many messages in one commit are all there, in their order",
            "all of a commit holds: the end, what is sent, and what follows, in this order",
        ] {
            try await expectBroken(name) { transport in
                transport.change = { $0.sends = Envelopes($0.sends.reversed()) }
            }
        }
    }

    @Test func oneThatChangesMessages() async throws {
        try await expectBroken("a message is delivered as it was sent") { transport in
            transport.change = { commit in
                commit.changeSends { message in
                    message.options["mine"] = nil
                }
            }
        }
    }

    @Test func oneThatAnswersInAnotherOrder() async throws {
        try await expectBroken("commits are answered in their order, and one that fails stops no other") { transport in
            transport.changeTraits = { $0.maxBatch = 10 }
            transport.changeResults = { $0.reverse() }
        }
    }

    @Test func oneThatSendsForADeliveryThatHasEnded() async throws {
        let ended = Mutex<Set<UInt64>>([])
        try await expectBroken("a delivery ends once") { transport in
            transport.change = { commit in
                guard let end = commit.end, !ended.withLock({ $0.insert(end.delivery.tag).inserted }) else { return }
                commit.end = nil
            }
        }
    }

    @Test func oneThatKnowsNoPriorities() async throws {
        try await expectBroken("messages with a larger priority are delivered first") { transport in
            transport.change = { commit in
                commit.changeSends { message in
                    message.options["broker_priority"] = nil
                }
            }
        }
    }

    @Test func oneWhoseTraitsAreNotWhatIsClaimed() async throws {
        try await expectBroken("a worker can do what it has to, and the traits are what is claimed") { transport in
            transport.changeTraits = { $0.knowsPriorities = false }
        }
    }

    @Test func oneThatDeliversDelayedMessagesAtOnce() async throws {
        try await expectBroken("a delayed message runs no earlier than its time, and keeps none waiting") { transport in
            transport.change = { commit in
                commit.changeSends { message in
                    message.options["eta"] = nil
                    message.queueName = QueueName.canonical(message.queueName)
                }
            }
        }
    }

    @Test func oneThatDoesHalfACommit() async throws {
        try await expectBroken("what can't be sent makes its commit fail, and nothing of it is done") { transport in
            transport.change = { commit in
                // What is too deep is left out, and the rest is done.
                commit.successors = Envelopes(commit.successors.filter { (try? $0.encoded()) != nil })
            }
        }
    }

    @Test func oneThatSendsWhatFollowsTooEarly() async throws {
        try await expectBroken("what follows is sent with the release, in one commit") { transport in
            transport.change = { commit in
                commit.sends = Envelopes(Array(commit.sends) + Array(commit.successors))
                commit.successors = []
            }
        }
    }

    @Test func oneThatLosesWhatFollows() async throws {
        try await expectBroken(
            "a workflow runs to its end, each task once and after those before it", patience: .seconds(2)
        ) { transport in
            transport.change = { $0.successors = [] }
        }
    }

    // MARK: The order of a commit whose barriers are elsewhere

    /// Takes the steps at barriers first, the release among them, and then sends what follows. If the answer to the
    /// release is lost, the commit that is repeated is told that somebody else has released the barrier.
    private struct ReleasingFirst: TransportWrapper {
        let base: any Transport

        func includes(_ store: any StateStore) -> Bool { true }

        func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
            var results: [Result<CommitResult, any Error>] = []
            for commit in commits {
                do {
                    results.append(.success(try await execute(commit)))
                } catch {
                    results.append(.failure(error))
                }
            }
            return results
        }

        private func execute(_ commit: Commit) async throws -> CommitResult {
            var rest = commit
            rest.state = nil
            var status = CommitResult.Status.committed
            if let state = commit.state {
                switch try await state.store.apply(state) {
                case .opened: return CommitResult(.opened)
                case .committed: break
                case .waiting, .alreadyReleased:
                    status = .notReleased
                    rest.successors = []
                }
            }
            _ = try await base.commit([rest])[0].get()
            return CommitResult(status)
        }

        func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? {
            commit.state == nil ? base.commitNow(commit) : nil
        }
    }

    @Test func oneThatReleasesBeforeItSendsStopsInSilence() async throws {
        let subject = InMemoryTransportSubject(
            claims: InMemoryTransportSubject.splitClaims, patience: .seconds(3),
            wrapping: { ReleasingFirst(base: $0) }, storing: { StoreApart($0) })
        let broken = try await DramatiqTestKitTests.expectBroken(
            "an answer that is lost, whichever it is, loses nothing and starts nothing early",
            of: WorkflowPromises.all, on: subject)
        #expect(broken.expected.contains("to run"))
    }
}

extension Commit {
    /// Sends other messages in the place of those that it has.
    fileprivate mutating func changeSends(_ change: (inout Message) -> Void) {
        sends = Envelopes(
            sends.map { envelope in
                var message = envelope.message
                change(&message)
                return Envelope(message, encoder: JSONMessageEncoder())
            })
    }
}
