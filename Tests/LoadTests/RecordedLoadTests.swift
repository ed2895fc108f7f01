import Testing
import Wire

@testable import Load

@Suite("What clients asked, from what a tap heard")
struct RecordedLoadTests {
    private let bucket = String(repeating: "ab", count: 16)

    private func record(
        _ type: MessageType, _ request: String, at milliseconds: Int64, key: String = "k", payload: UInt64 = 0,
        direction: TapDirection = .tapRequest, process: String = "gateway",
        _ change: (inout TapRecord) -> Void = { _ in }
    ) -> TapRecord {
        var record = TapRecord(
            timeMicroseconds: 1_000_000 + milliseconds * 1000, process: process, direction: direction, type: type,
            requestId: request, key: Array(key.utf8), payloadBytes: payload, bucket: bucket)
        change(&record)
        return record
    }

    private func operations(_ records: [TapRecord]) -> [PlannedOperation] {
        RecordedLoad(records, prefix: "r/").requests.map(\.operation)
    }

    @Test("A put is one operation, to however many replicas it went, with the size of its content")
    func puts() {
        let small = ["a", "b", "c"].flatMap { _ in
            [record(.stage, "1", at: 0, payload: 4096), record(.commit, "1", at: 1)]
        }
        #expect(operations(small) == [PlannedOperation(operation: .put, key: "r/abababab/k", size: 4096)])
        let large =
            [0, 1].flatMap { index in
                (0..<3).map { _ in
                    record(.putChunk, "1", at: 0, key: "blob/\(index)", payload: index == 0 ? 1 << 20 : 7)
                }
            } + [record(.stage, "1", at: 1), record(.commit, "1", at: 2)]
        #expect(operations(large) == [PlannedOperation(operation: .put, key: "r/abababab/k", size: 1 << 20 + 7)])
    }

    @Test("Deletes, reads with and without content, and listings are told apart")
    func kinds() {
        let delete = [
            record(.read, "1", at: 0), record(.stage, "1", at: 0), record(.commit, "1", at: 1) { $0.deletes = true },
        ]
        let get = [record(.read, "2", at: 2) { $0.wantsContent = true }]
        let chunked = [record(.read, "3", at: 3), record(.getChunk, "3", at: 4, key: "blob/0")]
        let head = [record(.read, "4", at: 5)]
        let list = [record(.list, "5", at: 6, key: "pre/"), record(.read, "5", at: 7, key: "pre/x")]
        #expect(
            operations(delete + get + chunked + head + list).map(\.operation) == [.delete, .get, .get, .head, .list])
        #expect(operations(list) == [PlannedOperation(operation: .list, key: "r/abababab/pre/")])
    }

    @Test("A part is a put of its own; other keyspaces and messages without a request are counted and left out")
    func others() {
        let part = [record(.commit, "1", at: 0, payload: 9) { $0.keyspace = 2 }]
        let upload = [record(.commit, "2", at: 1) { $0.keyspace = 1 }]
        let background = [
            record(.digestPartitions, "", at: 2), record(.heartbeat, "", at: 3, direction: .tapPublication),
        ]
        let load = RecordedLoad(part + upload + background, prefix: "")
        #expect(load.requests.map(\.operation.operation) == [.put])
        #expect(load.requests[0].operation.size == 9)
        #expect((load.leftOut, load.background) == (1, 1))
    }

    @Test("Requests come in the order of their begins, however their messages were mixed, and of two gateways apart")
    func order() {
        let load = RecordedLoad(
            [
                record(.read, "1", at: 30, key: "late") { $0.wantsContent = true },
                record(.read, "1", at: 10, key: "early", process: "other"),
                record(.read, "1", at: 31, payload: 5, direction: .tapReply) { $0.wantsContent = true },
            ], prefix: "")
        #expect(load.requests.map(\.operation.key) == ["abababab/early", "abababab/late"])
        #expect(load.requests.map(\.due) == [0, 20_000_000])
    }

    @Test("The distances in time are kept, scaled, or dropped")
    func timing() {
        let load = RecordedLoad((0..<3).map { record(.read, "\($0)", at: 100 * Int64($0)) }, prefix: "")
        #expect(load.script(speed: 1).due == [0, 100_000_000, 200_000_000])
        #expect(load.script(speed: 4).due == [0, 25_000_000, 50_000_000])
        #expect(load.script(speed: nil).due == nil)
        var plan = LoadPlanTests.plan()
        plan.script = load.script(speed: 2)
        let pacer = Pacer(plan, start: MonotonicClock.now())
        let turns = (0..<5).compactMap { _ in pacer.next() }
        #expect(turns.map(\.number) == [0, 1, 2])
        #expect(turns.map { $0.due - turns[0].due } == [0, 50_000_000, 100_000_000])
    }

    @Test("Put before the replay is what it reads first, in the size that was seen, once")
    func preparation() {
        let load = RecordedLoad(
            [
                record(.read, "1", at: 0, key: "a") { $0.wantsContent = true },
                record(.read, "1", at: 1, key: "a", payload: 77, direction: .tapReply),
                record(.read, "2", at: 2, key: "a"),
                record(.commit, "3", at: 3, key: "b", payload: 5),
                record(.read, "4", at: 4, key: "b") { $0.wantsContent = true },
                record(.read, "5", at: 5, key: "c"),
            ], prefix: "")
        #expect(
            load.preparation(size: 100).operations == [
                PlannedOperation(operation: .put, key: "abababab/a", size: 77),
                PlannedOperation(operation: .put, key: "abababab/c", size: 100),
            ])
    }

    @Test("Keys that are no text are replayed under their hex digits, and buckets stay apart")
    func keys() {
        let load = RecordedLoad(
            [
                record(.read, "1", at: 0) { $0.key = [0xff, 0x00] },
                record(.read, "2", at: 1) { $0.bucket = String(repeating: "cd", count: 16) },
            ], prefix: "r/")
        #expect(load.requests.map(\.operation.key) == ["r/abababab/ff00", "r/cdcdcdcd/k"])
    }
}
