import ClusterState
import Foundation

/// What single nodes answer, for people.
enum NodeText {
    /// `dump-ring` as every process answers it.
    struct Ring: Decodable {
        struct Partition: Decodable {
            var partition: Int
            var nodes: [String]
            var next: [String]
        }

        var epoch: UInt64
        var ringHash: String
        var partitions: [Partition]
    }

    static func ring(_ ring: Ring) -> String {
        let table = TextTable(
            columns: [.init("partition", .right), .init("replicas"), .init("moving to")],
            rows: ring.partitions.map {
                ["\($0.partition)", $0.nodes.joined(separator: ", "), $0.next.joined(separator: ", ")]
            })
        return "ring-hash \(ring.ringHash), epoch \(ring.epoch)\n" + table.text
    }

    static func queues(_ report: QueuesReport) -> String {
        TextTable(
            columns: [
                .init("id", width: 30), .init("state", width: 11), .init("number of msgs", width: 14, .right),
                .init("description", width: 40),
            ],
            rows: report.mqStats.map { [$0.id, $0.state, "\($0.messages)", $0.description] }
        ).text
    }

    /// The known keys of `status NODE`, in the order in which they are shown. Others follow under their own names.
    private static let known: [(section: String, items: [(key: String, name: String)])] = [
        (
            "Config-1: basic",
            [
                ("name", "name"), ("role", "role"), ("version", "version"), ("data_directory", "data directory"),
                ("bus_address", "bus address"), ("publisher_address", "publisher address"), ("log_level", "log level"),
            ]
        ),
        (
            "Status-1: RING hash",
            [("ring_hash", "current ring hash"), ("epoch", "ring epoch"), ("revision", "state revision")]
        ),
        (
            "Status-2: process",
            [
                ("pid", "process id"), ("uptime_seconds", "uptime (s)"), ("cpu_seconds", "CPU time (s)"),
                ("resident_bytes", "memory (bytes)"), ("resident_peak_bytes", "largest memory (bytes)"),
            ]
        ),
    ]

    /// All values of an object under their own names.
    static func fields(_ json: [UInt8], title: String) throws -> String {
        let items = flattened(try object(json), prefix: "")
        return ItemList(sections: [.init(title: title, items: items)], valueWidth: 40).text
    }

    private static func object(_ json: [UInt8]) throws -> [String: Any] {
        guard let fields = try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any] else {
            throw Failure(.refused, "the answer is not understood")
        }
        return fields
    }

    static func status(_ json: [UInt8]) throws -> String {
        let fields = try object(json)
        var sections = known.map { section in
            ItemList.Section(
                title: section.section,
                items: section.items.compactMap { item in fields[item.key].map { (item.name, value($0)) } })
        }
        let named = Set(known.flatMap { $0.items.map(\.key) } + ["started_milliseconds"])
        let rest = flattened(fields.filter { !named.contains($0.key) }, prefix: "")
        if !rest.isEmpty { sections.append(.init(title: "Status-3: \(fields["role"] ?? "node")", items: rest)) }
        return ItemList(sections: sections, valueWidth: 40).text
    }

    /// Values with dots between the names of nested objects and the positions in lists.
    private static func flattened(_ fields: [String: Any], prefix: String) -> [(name: String, value: String)] {
        fields.sorted { $0.key < $1.key }.flatMap { key, field -> [(name: String, value: String)] in
            let name = prefix + key.replacingOccurrences(of: "_", with: " ")
            switch field {
            case let object as [String: Any]: return flattened(object, prefix: name + ".")
            case let list as [[String: Any]]:
                return list.enumerated().flatMap { flattened($1, prefix: "\(name).\($0 + 1).") }
            default: return [(name, value(field))]
            }
        }
    }

    private static func value(_ field: Any) -> String {
        switch field {
        case let list as [Any]: list.map { value($0) }.joined(separator: ", ")
        case let text as String: text
        case let number as NSNumber: "\(number)"
        default: "\(field)"
        }
    }
}
