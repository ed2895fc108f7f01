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

    static func status(_ json: [UInt8]) throws -> String {
        let fields = try object(json)
        var sections = known.map { section in
            ItemList.Section(
                title: section.section,
                items: section.items.compactMap { item in fields[item.key].map { (item.name, $0.plainText) } })
        }
        let named = Set(known.flatMap { $0.items.map(\.key) } + ["started_milliseconds"])
        let rest = flattened(fields.filter { !named.contains($0.key) }, prefix: "")
        let role = fields["role"]?.plainText ?? "node"
        if !rest.isEmpty { sections.append(.init(title: "Status-3: \(role)", items: rest)) }
        return ItemList(sections: sections, valueWidth: 40).text
    }

    /// All values of an object under their own names.
    static func fields(_ json: [UInt8], title: String) throws -> String {
        let items = flattened(try object(json), prefix: "")
        return ItemList(sections: [.init(title: title, items: items)], valueWidth: 40).text
    }

    private static func object(_ json: [UInt8]) throws -> [String: JSONValue] {
        guard case .object(let fields)? = try? JSONDecoder().decode(JSONValue.self, from: Data(json)) else {
            throw Failure(.refused, "the answer is not understood; versions may differ (--json shows it)")
        }
        return fields
    }

    /// Values with dots between the names of nested objects and the positions in lists.
    private static func flattened(
        _ fields: [String: JSONValue], prefix: String
    ) -> [(name: String, value: String)] {
        fields.sorted { $0.key < $1.key }.flatMap { key, field -> [(name: String, value: String)] in
            let name = prefix + key.replacing("_", with: " ")
            switch field {
            case .object(let inner): return flattened(inner, prefix: name + ".")
            case .list(let list):
                return list.enumerated().flatMap { index, element -> [(name: String, value: String)] in
                    guard case .object(let inner) = element else {
                        return [("\(name).\(index + 1)", element.plainText)]
                    }
                    return flattened(inner, prefix: "\(name).\(index + 1).")
                }
            case .integer(let time) where key.hasSuffix("_milliseconds"):
                return [(String(name.dropLast(" milliseconds".count)), TimeText.make(milliseconds: time))]
            default: return [(name, field.plainText)]
            }
        }
    }
}
