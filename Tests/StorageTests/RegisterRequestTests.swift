import Model
import NIOCore
import Register
import Testing
import Threads

@testable import Storage

@Suite struct RegisterRequestTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }

    init() throws { fixture = try DiskFixture() }

    @Test("Stage, commit, read: the content comes back with its checksum")
    func stageCommitRead() throws {
        #expect(try fixture.put(name("a"), 1, "hello").outcome == .accepted)
        let answer = try fixture.read(name("a"))
        #expect(answer.state == .sample(1, blobs: [BlobID(high: 5, low: 1)]))
        #expect(answer.blob?.content == BlobPayload("hello", id: 1).content)
        #expect(try fixture.read(name("b")).state == nil)
        #expect(disk.index.totals.activeRecords == 2)
        #expect(disk.staged.bytes == 0)
    }

    @Test("Nothing is answered that depends on a record before its sync")
    func nothingBeforeSync() throws {
        try fixture.put(name("other"), 1)
        fixture.files.holdSyncs(true)
        let commit = Pending<CommitResult>()
        disk.commit(name("a"), .sample(2), blob: nil, commit.completion)
        let read = Pending<ReadResult>()
        disk.read(name("a"), withBlob: false, read.completion)
        let stage = Pending<StageResult>()
        disk.stage(name("a"), ballot(3), blob: nil, stage.completion)
        let refusal = Pending<StageResult>()
        disk.stage(name("a"), ballot(1), blob: nil, refusal.completion)
        let repeated = Pending<CommitResult>()
        disk.commit(name("a"), .sample(2), blob: nil, repeated.completion)
        // What does not depend on it is answered at once.
        #expect(try fixture.read(name("other")).state == .sample(1))
        #expect(!commit.isAnswered && !read.isAnswered && !stage.isAnswered && !refusal.isAnswered)
        #expect(!repeated.isAnswered)
        fixture.files.holdSyncs(false)
        #expect(try commit.wait().outcome == .accepted)
        #expect(try read.wait().state == .sample(2))
        #expect(try stage.wait().state == .sample(2))
        #expect(try refusal.wait().promised == false)
        #expect(try repeated.wait().outcome == .accepted)
    }

    @Test("The first promise waits until the ceiling is durable, later ones do not")
    func ceilingBeforePromise() throws {
        fixture.files.holdSyncs(true)
        let first = Pending<StageResult>()
        disk.stage(name("a"), ballot(1), blob: nil, first.completion)
        #expect(!first.isAnswered)
        fixture.files.holdSyncs(false)
        #expect(try first.wait().promised)
        let syncs = fixture.files.syncs
        for counter in UInt64(2)..<50 { #expect(try fixture.stage(name("a"), counter).promised) }
        // An idle log syncs a record that says so, and the mark of its end.
        #expect(fixture.files.syncs <= syncs + 2)
    }

    @Test("A restart keeps every promise: ballots up to the ceiling are refused, higher ones are not")
    func restartKeepsPromises() throws {
        #expect(try fixture.stage(name("a"), 5).promised)
        try fixture.restart()
        let refused = try fixture.stage(name("a"), 4)
        #expect(!refused.promised)
        #expect(refused.counter >= 5)
        #expect(try fixture.commit(name("a"), .sample(4)).outcome == .refused)
        #expect(try fixture.stage(name("a"), refused.counter + 1).promised)
        // The same with an index that is rebuilt from the log.
        try fixture.restart(losingIndex: true)
        #expect(try !fixture.stage(name("b"), refused.counter + 1).promised)
    }

    @Test("A commit whose blob is unknown changes nothing and asks for it")
    func blobMissing() throws {
        let blob = BlobPayload("content", id: 9)
        let state = ReplicaState.sample(1, blobs: [blob.id])
        #expect(try fixture.commit(name("a"), state).outcome == .blobMissing)
        #expect(try fixture.read(name("a")).state == nil)
        #expect(try fixture.commit(name("a"), state, blob: blob).outcome == .accepted)
        #expect(try fixture.read(name("a")).blob?.content == blob.content)
        // A round of somebody else with the same content needs no payload: it is stored.
        #expect(try fixture.commit(name("a"), state.retagged(ballot(2))).outcome == .accepted)
        #expect(try fixture.read(name("a")).blob?.content == blob.content)
    }

    @Test("A staged blob survives a refused commit, and a payload with a wrong checksum is refused")
    func stagedBlobs() throws {
        let blob = BlobPayload("content", id: 9)
        _ = try Pending.of { disk.stage(name("a"), ballot(1), blob: blob, $0) } as StageResult
        #expect(try fixture.stage(name("a"), 7).promised)
        #expect(try fixture.commit(name("a"), .sample(1, blobs: [blob.id])).outcome == .refused)
        #expect(try fixture.commit(name("a"), .sample(8, blobs: [blob.id])).outcome == .accepted)
        var wrong = blob
        wrong.content.checksum ^= 1
        #expect(throws: StorageError.self) {
            _ = try Pending.of { disk.stage(name("b"), ballot(9), blob: wrong, $0) } as StageResult
        }
    }

    @Test("A decided state is learned whatever was promised; an older one is known")
    func learn() throws {
        #expect(try fixture.stage(name("a"), 10).promised)
        let learn = { (state: ReplicaState) in
            try Pending<LearnResult>.of { self.disk.learn(name("a"), state, blob: nil, $0) }
        }
        #expect(try learn(.sample(5)) == .learned)
        #expect(try fixture.read(name("a")).state == .sample(5))
        #expect(try learn(.sample(4)) == .known)
        #expect(try learn(.sample(6, blobs: [BlobID(high: 0, low: 7)])) == .blobMissing)
    }

    @Test("Many writers at once: every answer comes once and every key ends with its last state")
    func concurrent() throws {
        let disk = disk
        let commits = (0..<400).map { _ in Pending<CommitResult>() }
        let threads = (0..<4).map { writer in
            BlockingThread(name: "writer") {
                for number in 0..<100 {
                    let blob = BlobPayload("\(writer)/\(number)", id: UInt64(1000 * writer + number))
                    let state = ReplicaState.sample(UInt64(number + 1), blobs: [blob.id])
                    let done = commits[100 * writer + number].completion
                    disk.commit(name("key \(writer)"), state, blob: blob, done)
                }
            }
        }
        for thread in threads { thread.join() }
        for commit in commits { #expect(try commit.wait().outcome == .accepted) }
        for writer in 0..<4 {
            #expect(try fixture.read(name("key \(writer)")).blob?.content.bytes == ByteBuffer(string: "\(writer)/99"))
        }
        // The ceiling apart, one register and one blob are in force for each key.
        #expect(disk.index.totals.activeRecords == 8)
        #expect(disk.index.totals.totalRecords == 800)
    }
}
