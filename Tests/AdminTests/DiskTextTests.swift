import ClusterState
import Testing

@testable import Admin

@Suite("disk list of martlet-adm")
struct DiskTextTests {
    @Test("Each disk has its row, what moves is shown, reasons stand below")
    func list() {
        let report = DiskListReport(
            disks: [
                .init(
                    name: "disk-1", path: "/a", id: "0a", state: "draining", reason: nil, weight: 2, free: 5 << 30,
                    total: 20 << 30, slots: 100, slotsWanted: 0, doubtfulSlots: 0, damagedRecords: 0),
                .init(
                    name: "disk-2", path: "/b", id: nil, state: "failed", reason: "/b: gone", weight: 1, free: nil,
                    total: nil, slots: 156, slotsWanted: 156, doubtfulSlots: 0, damagedRecords: 3),
            ],
            moves: .init(
                state: "moving", from: "/a", to: "/b", slotsLeft: 100, slotsMoved: 28, bytesMoved: 3000, unreadable: 1,
                reason: nil))
        let expected = """
            --------+----------+----------+-------+---------+--------+----------+--------+------+----
              disk  |  state   |  slots   | doubt | damaged | weight |   free   | total  | path | id
            --------+----------+----------+-------+---------+--------+----------+--------+------+----
             disk-1 | draining | 100 -> 0 |     0 |       0 |      2 | 5120 MiB | 20 GiB | /a   | 0a
             disk-2 | failed   |      156 |     0 |       3 |      1 |          |        | /b   |
            --------+----------+----------+-------+---------+--------+----------+--------+------+----
            disk-2: /b: gone
            slots: moving, 100 to move, now from /a to /b; 28 moved, 3000 B, 1 records could not be read
            """
        #expect(DiskText.list(report) == expected)
    }
}
