import MessageBus
import Model
import ObjectAccess
import Register
import Synchronization
import TestKit
import Testing
import Wire

/// Several clients change the versions of one key at the same time; some die between two steps. Whatever the order, every
/// decided version is there until somebody deletes it, and nothing deleted comes back.
@Suite struct VersionsInterleavingTests {
    private static let object = RegisterName(bucket: BucketID(high: 3, low: 4), key: Array("k\0ey".utf8))

    /// What clients know for certain.
    private struct Known {
        var put: Set<String> = []
        var removed: Set<String> = []
        /// Asked for, with no answer.
        var unsure: Set<String> = []
    }

    private final class Client: Sendable {
        let registers: ScheduledRegisters
        let versions: ObjectVersions
        let known: Mutex<Known>
        private let generator: Mutex<SeededGenerator>

        init(_ registers: ScheduledRegisters, seed: UInt64) {
            self.registers = registers
            versions = ObjectVersions(registers, clock: { 1_700_000_000_000 })
            known = Mutex(Known())
            generator = Mutex(SeededGenerator(seed: seed))
        }

        private func pick(_ bound: Int) -> Int { generator.withLock { Int.random(in: 0..<bound, using: &$0) } }
        private func number() -> UInt64 { generator.withLock { .random(in: 1 ... .max, using: &$0) } }

        func run(_ mode: VersioningMode, steps: Int) async throws {
            for step in 0..<steps {
                switch pick(10) {
                case 0..<5: try await put(mode, marker: false, step)
                case 5: try await put(mode, marker: true, step)
                case 6..<9: try await removeOne()
                default: try await tagOne(step)
                }
            }
        }

        private func put(_ mode: VersioningMode, marker: Bool, _ step: Int) async throws {
            let (number, object) = (number(), VersionsInterleavingTests.object)
            let record = ObjectRecord(
                version: 1, modifiedMilliseconds: 1_700_000_000_000, size: UInt64(step), etag: "\(number)",
                kind: marker ? .versionDeleteMarker : .versionObject)
            while true {
                do {
                    let written = Mutex<ObjectRecord?>(nil)
                    _ = try await registers.update(
                        object, deleting: false, staged: nil, operation: .random(), context: .init()
                    ) { state in
                        do {
                            var versions = try KeyVersions(state)
                            try versions.put(record, mode, number: number, nowMilliseconds: 1_700_000_000_000)
                            written.withLock { $0 = versions.current }
                            return .write(versions.stored)
                        } catch {
                            return .refuse(error)
                        }
                    }
                    if let id = written.withLock({ $0?.versionId }), !id.isEmpty {
                        known.withLock { _ = $0.put.insert(id) }
                    }
                    if pick(2) == 0 { try await versions.settle(object, context: .init()) }
                    return
                } catch AccessError.refused(is KeyVersions.Obstacle) {
                    try await versions.settle(object, context: .init())
                }
            }
        }

        /// Any version that is there, also one that somebody else removes at this moment.
        private func someVersion() throws -> String? {
            let visible = try VisibleVersions(VersionsInterleavingTests.object, registers.registers)
            let ids = visible.versions.keys.map(\.id).sorted()
            return ids.isEmpty ? nil : ids[pick(ids.count)]
        }

        private func removeOne() async throws {
            guard let id = try someVersion() else { return }
            if !id.isEmpty { known.withLock { _ = $0.unsure.insert(id) } }
            try await versions.remove(id, of: VersionsInterleavingTests.object, context: .init())
            if !id.isEmpty { known.withLock { _ = $0.removed.insert(id) } }
        }

        private func tagOne(_ step: Int) async throws {
            guard let id = try someVersion() else { return }
            _ = try await versions.change(id, of: VersionsInterleavingTests.object, context: .init()) {
                $0.tags = [HeaderField(name: "step", value: "\(step)")]
            }
        }
    }

    private func run(seed: UInt64, modes: [VersioningMode], crashPerMille: Int) async throws -> Int {
        let observer = VersionsObserver(Self.object)
        let registers = ScheduledRegisters(seed: seed, crashPerMille: crashPerMille, onWrite: observer.onWrite)
        let clients = modes.indices.map { Client(registers, seed: seed &* 31 &+ UInt64($0)) }
        await registers.run(zip(clients, modes).map { client, mode in { try await client.run(mode, steps: 12) } })
        var known = Known()
        for client in clients {
            client.known.withLock { mine in
                known.put.formUnion(mine.put)
                known.removed.formUnion(mine.removed)
                known.unsure.formUnion(mine.unsure)
            }
        }
        let visible = try VisibleVersions(Self.object, registers.registers)
        let ids = Set(visible.versions.keys.map(\.id))
        #expect(known.put.subtracting(known.unsure).isSubset(of: ids), "a version is lost")
        #expect(known.removed.isDisjoint(with: ids), "a deleted version is back")
        try await settleAndCompare(registers, visible)
        return observer.stepCount
    }

    /// After everything was carried out, clients see the same, and the archive has just that.
    private func settleAndCompare(_ registers: ScheduledRegisters, _ visible: VisibleVersions) async throws {
        let calm = ScheduledRegisters(seed: 1, crashPerMille: 0, copying: registers)
        await calm.run([{ try await ObjectVersions(calm).settle(Self.object, context: .init()) }])
        #expect(try VisibleVersions(Self.object, calm.registers) == visible)
        #expect(try KeyVersions(calm.registers[Self.object]).pending.isEmpty)
    }

    @Test("versions of one key under many writers", arguments: 0..<150)
    func enabled(_ seed: Int) async throws {
        let steps = try await run(
            seed: UInt64(seed), modes: Array(repeating: .enabled, count: 4), crashPerMille: 0)
        #expect(steps > 10)
    }

    @Test("writers that die between two steps, and gateways that disagree on the mode", arguments: 0..<150)
    func crashes(_ seed: Int) async throws {
        _ = try await run(
            seed: UInt64(seed) + 1_000_000,
            modes: [.enabled, .suspended, .enabled, .unversioned, .suspended, .enabled], crashPerMille: 15)
    }
}
