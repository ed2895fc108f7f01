import Model
import ObjectAccess
import Register
import Synchronization
import Testing
import Wire

@testable import Gateway

@Suite("What containers hold")
struct ContainerUsageTests {
    private let id = BucketID(high: 1, low: 2)
    private let storage = MemoryStorage(pageMax: 7)
    private let large = MemoryStorage(pageMax: 2000)

    private func fill(_ count: Int, in storage: MemoryStorage? = nil) {
        (storage ?? self.storage).contents.withLock { contents in
            for number in 0..<count {
                let object = ObjectRecord(
                    version: ObjectRecord.formatVersion, modifiedMilliseconds: 1, size: 10, etag: "e")
                contents.registers[RegisterName(bucket: id, key: Array("\(number)".utf8))] = .successor(
                    of: nil, writing: object.stored, operation: .random(), ballot: Ballot(counter: 1, writer: 1))
            }
        }
    }

    private func container(_ versioning: VersioningMode = .unversioned) -> BucketRecord {
        let document = BucketDocument(name: BucketRecord.versioningName, content: Array(versioning.rawValue.utf8))
        return BucketRecord(id: id.bytes, documents: versioning == .unversioned ? [] : [document])
    }

    private func count(
        _ container: BucketRecord, _ survey: @escaping Quotas.Survey
    ) async -> ContainerUsage.Count {
        await ContainerUsage(storage: storage, survey: survey).count(of: container, patience: .seconds(60), .init())
    }

    @Test("A small container is counted by its listing alone")
    func small() async {
        fill(7)
        let counted = await count(container()) { _ in throw SwiftError(503) }
        #expect(counted == .init(objects: 7, bytes: 70))
        #expect(await count(container()) { _ in [id: StoredUsage(objects: 1, bytes: 1)] } == counted)
    }

    /// Time that passes with each look at the clock.
    private func usage(_ step: Duration) -> ContainerUsage {
        let time = Mutex(ContinuousClock.now)
        return ContainerUsage(
            storage: large,
            now: {
                time.withLock { time in
                    time += step
                    return time
                }
            }
        ) { _ in throw SwiftError(503) }
    }

    private func count(_ usage: ContainerUsage) async -> UInt64 {
        await usage.count(of: container(), patience: .seconds(60), .init()).objects
    }

    @Test("A small container is counted for each request, however long it takes")
    func anew() async {
        let usage = usage(.seconds(1))
        for number in [0, 7, 20, 999] {
            fill(number, in: large)
            #expect(await count(usage) == UInt64(number))
        }
    }

    @Test("What is known of a large one is remembered for a while, and forgotten with the next write")
    func remembered() async {
        let usage = usage(.milliseconds(1))
        fill(1000, in: large)
        #expect(await count(usage) == 1000)
        fill(1001, in: large)
        #expect(await count(usage) == 1000)
        usage.forget(id)
        #expect(await count(usage) == 1001)
        fill(1002, in: large)
        for _ in 0..<25 { _ = await count(usage) }
        #expect(await count(usage) == 1002)
    }

    @Test("What takes long to count is not counted again for each write")
    func costly() async {
        let usage = usage(.milliseconds(60))
        fill(1000, in: large)
        #expect(await count(usage) == 1000)
        fill(1001, in: large)
        usage.forget(id)
        #expect(await count(usage) == 1000)
    }

    @Test("A larger one is asked of the storage nodes; without an answer it is listed to its end")
    func large() async {
        fill(20)
        #expect(
            await count(container()) { _ in [id: StoredUsage(objects: 21, bytes: 300)] }
                == .init(objects: 21, bytes: 300))
        #expect(await count(container()) { _ in throw SwiftError(503) } == .init(objects: 20, bytes: 200))
        #expect(await count(container()) { _ in [:] } == .init(objects: 20, bytes: 200))
    }

    @Test(
        "Archived versions are no objects: a large container with versions is listed",
        arguments: [VersioningMode.enabled, .suspended])
    func versions(mode: VersioningMode) async {
        fill(20)
        let counted = await count(container(mode)) { _ in
            [id: StoredUsage(objects: 99, bytes: 99)]
        }
        #expect(counted == .init(objects: 20, bytes: 200))
    }
}
