import Model
import Register
import Testing
import Wire

@testable import Storage

/// What of a register counts for its bucket.
@Suite struct ReplicaRecordTests {
    private func counted(_ summary: ListingSummary, _ keyspace: Keyspace = .objects) -> UInt64 {
        let state = ReplicaState(
            tag: Ballot(counter: 1, writer: 1), sequence: 1, recentOperations: [],
            record: ReplicaRecord(bytes: [1], summary: summary.encoded()))
        return state.value(of: RegisterName(bucket: BucketID(high: 1, low: 1), keyspace: keyspace, key: [1]))
            .contentSize
    }

    @Test("an object counts with its content, a large object's manifest with itself")
    func sizes() {
        #expect(counted(ListingSummary(size: 1000)) == 1000)
        #expect(counted(ListingSummary(size: 1000, manifest: true, manifestSize: 60)) == 60)
        #expect(counted(ListingSummary(size: 1000, manifest: true, manifestSize: 60), .versions) == 60)
        // From before the field: it goes as it came, so that the sum stays right.
        #expect(counted(ListingSummary(size: 1000, manifest: true)) == 1000)
        #expect(counted(ListingSummary(size: 1000), .uploads) == 0)
    }
}
