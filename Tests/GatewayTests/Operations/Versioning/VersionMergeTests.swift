import Model
import ObjectAccess
import Testing

@testable import Gateway

@Suite struct VersionMergeTests {
    private func listed(
        _ gateway: TestGateway, _ direction: ListDirection, after: VersionMerge.Marker? = nil, prefix: String = ""
    ) async throws -> [ListedVersion] {
        let bucket = gateway.cluster.view.buckets.values.first { $0.name == "box" }
        var merge = try await VersionMerge(
            gateway.storage, bucket: try #require(bucket?.bucketID), prefix: Array(prefix.utf8), after: after,
            direction: direction,
            limit: 5, .init())
        var found: [ListedVersion] = []
        while let version = try await merge.next() { found.append(version) }
        return found
    }

    private func texts(_ versions: some Sequence<ListedVersion>) -> [String] {
        versions.map { String(decoding: $0.key, as: UTF8.self) + "/\($0.summary.name.id)\($0.isLatest ? "*" : "")" }
    }

    @Test(
        "Backwards all versions come the other way round, from any of them on", arguments: 1...4)
    func backwards(seed: Int) async throws {
        let gateway = try await TestGateway.versioned()
        for step in 0..<40 {
            let key = ["a", "a\u{1}", "b/1", "b/2", "ü"][(step * step + seed * step) % 5]
            if step % 5 == seed { await gateway.delete(key) } else { await gateway.put(key, [UInt8(step)]) }
            // Some versions are in the archive by then, others still to come there.
            if step == 20 { await gateway.operations.archive.wait() }
        }
        let forward = try await listed(gateway, .forward)
        #expect(forward.count == 40)
        #expect(texts(try await listed(gateway, .backward)) == texts(forward.reversed()))
        for (index, marker) in forward.enumerated() {
            let after = VersionMerge.Marker.version(marker.key, marker.summary.name)
            #expect(texts(try await listed(gateway, .forward, after: after)) == texts(forward[(index + 1)...]))
            #expect(texts(try await listed(gateway, .backward, after: after)) == texts(forward[..<index].reversed()))
            #expect(
                texts(try await listed(gateway, .backward, after: .key(marker.key)))
                    == texts(forward.reversed().filter { bytesPrecede($0.key, marker.key) }))
        }
        let below = texts(forward.reversed().filter { $0.key.starts(with: Array("b/".utf8)) })
        #expect(texts(try await listed(gateway, .backward, prefix: "b/")) == below)
        #expect(
            texts(try await listed(gateway, .backward, after: .prefix(Array("b/".utf8))))
                == texts(forward.reversed().filter { bytesPrecede($0.key, Array("b/".utf8)) }))
    }
}
