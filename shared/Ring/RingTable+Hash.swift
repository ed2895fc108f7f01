import Model

extension RingTable {
    /// CRC-32 (the polynomial of zip) over a canonical encoding of the table.
    static func contentHash(
        epoch: UInt64, hashKey: [UInt8], nodes: [NodeName], partitions: [PartitionReplicas]
    ) -> UInt32 {
        var crc = TableChecksum()
        crc.add(number: epoch)
        crc.add(hashKey)
        crc.add(number: UInt64(nodes.count))
        var indexes: [NodeName: UInt64] = [:]
        for (index, node) in nodes.enumerated() {
            indexes[node] = UInt64(index)
            crc.add(number: UInt64(node.rawValue.utf8.count))
            crc.add(node.rawValue.utf8)
        }
        for partition in partitions {
            for set in [partition.current, partition.next] {
                crc.add(number: UInt64(set.count))
                for node in set { crc.add(number: indexes[node] ?? .max) }
            }
        }
        return crc.value
    }
}

/// A bitwise CRC-32 with a table of 16 entries: a few kilobytes are hashed when a ring changes, no more.
struct TableChecksum {
    private var state: UInt32 = .max
    private static let table: [UInt32] = (0..<16).map { index in
        (0..<4).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
    }

    var value: UInt32 { ~state }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            state ^= UInt32(byte)
            state = state >> 4 ^ Self.table[Int(state & 15)]
            state = state >> 4 ^ Self.table[Int(state & 15)]
        }
    }

    mutating func add(number: UInt64) {
        add((0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) })
    }
}
