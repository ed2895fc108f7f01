import MessageBus
import Model
import NIOCore
import Testing
import Wire

@Suite(.timeLimit(.minutes(1)))
struct PublicationTests {
    /// Publishes until the first message arrives: a subscription takes effect some time after it was made.
    static func publishUntilHeard(
        _ publisher: MessageBus, _ type: MessageType, heard: Mailbox<Publication>
    ) async throws -> Publication {
        let publishing = Task {
            while !Task.isCancelled {
                publisher.publish(type, HintsAdded(total: 0))
                await Task.yield()
            }
        }
        defer { publishing.cancel() }
        return try #require(await heard.next())
    }

    @Test("a subscriber hears the types that it asked for, from the peer that it asked for")
    func topics() async throws {
        try await withCluster { cluster in
            let listener = try cluster.start("replicator-1", .replicator)
            let storage = try cluster.start("storage-1", .storage) { $0.currentEpoch = { 5 } }
            let other = try cluster.start("storage-2", .storage)
            let heard = Mailbox<Publication>()
            _ = listener.bus.subscribe(to: "storage-1", [.hintsAdded]) { heard.put($0) }
            let first = try await Self.publishUntilHeard(storage.bus, .hintsAdded, heard: heard)
            #expect(first.sender == "storage-1")
            #expect(first.epoch == 5)
            #expect(first.missed == 0)
            storage.bus.publish(.stateChanged, StateChanged(revision: 1))
            other.bus.publish(.hintsAdded, HintsAdded(total: 1))
            storage.bus.publish(.hintsAdded, HintsAdded(total: 42))
            while let publication = await heard.next() {
                #expect(publication.type == .hintsAdded)
                #expect(publication.sender == "storage-1")
                if try HintsAdded(decoding: publication.body).total == 42 { break }
            }
        }
    }

    @Test("a subscriber that was cut off notices how many publications it missed")
    func gap() async throws {
        try await withCluster { cluster in
            let listener = try cluster.start("replicator-1", .replicator)
            let storage = try cluster.start("storage-1", .storage)
            let heard = Mailbox<Publication>()
            _ = listener.bus.subscribe(to: "storage-1", [.hintsAdded]) { heard.put($0) }
            var last = try await Self.publishUntilHeard(storage.bus, .hintsAdded, heard: heard)
            // For a while the directory says that it publishes nowhere.
            var endpoint = storage.endpoint()
            let publisher = endpoint.publisher
            endpoint.publisher = ""
            cluster.directory.set(endpoint)
            while storage.hasListener { storage.bus.publish(.hintsAdded, HintsAdded(total: 0)) }
            for _ in 0..<10 { storage.bus.publish(.hintsAdded, HintsAdded(total: 0)) }
            endpoint.publisher = publisher
            cluster.directory.set(endpoint)
            let back = Task {
                while !Task.isCancelled {
                    storage.bus.publish(.hintsAdded, HintsAdded(total: 7))
                    await Task.yield()
                }
            }
            while let next = await heard.next() {
                #expect(next.sequence == last.sequence + next.missed + 1)
                if try HintsAdded(decoding: next.body).total == 7 {
                    #expect(next.missed >= 10)
                    break
                }
                last = next
            }
            back.cancel()
        }
    }

    @Test("after unsubscribing nothing is heard and nothing is published")
    func unsubscribe() async throws {
        try await withCluster { cluster in
            let listener = try cluster.start("replicator-1", .replicator)
            let storage = try cluster.start("storage-1", .storage)
            let heard = Mailbox<Publication>()
            let token = listener.bus.subscribe(to: "storage-1", [.hintsAdded]) { heard.put($0) }
            _ = try await Self.publishUntilHeard(storage.bus, .hintsAdded, heard: heard)
            listener.bus.unsubscribe(token)
            while storage.hasListener { await Task.yield() }
            let published = storage.publishedCount
            storage.bus.publish(.hintsAdded, HintsAdded(total: 0))
            _ = try await listener.bus.ping("storage-1")
            #expect(storage.publishedCount == published)
        }
    }

    @Test("a publisher that restarted is heard again")
    func restartedPublisher() async throws {
        try await withCluster { cluster in
            let listener = try cluster.start("replicator-1", .replicator)
            let first = try cluster.start("storage-1", .storage)
            let heard = Mailbox<Publication>()
            _ = listener.bus.subscribe(to: "storage-1", [.hintsAdded]) { heard.put($0) }
            _ = try await Self.publishUntilHeard(first.bus, .hintsAdded, heard: heard)
            await first.bus.stop()
            let second = try cluster.start("storage-1", .storage)
            let again = Task {
                while !Task.isCancelled {
                    second.bus.publish(.hintsAdded, HintsAdded(total: 99))
                    await Task.yield()
                }
            }
            while let next = await heard.next() {
                guard try HintsAdded(decoding: next.body).total == 99 else { continue }
                break
            }
            again.cancel()
        }
    }
}

extension TestPeer {
    var publishedCount: Int {
        let line = metrics.render().split(separator: "\n").first {
            $0.hasPrefix("martlet_messages_total") && $0.contains("\"published\"") && $0.contains("hintsAdded")
        }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
    }
}
