import ArgumentParser
import Wire

/// Which records are shown: all conditions that are given must hold.
struct TapFilter: Equatable {
    /// Any of these; empty: all.
    var types: Set<MessageType> = []
    var keyPrefix: [UInt8] = []
    var peers: Set<String> = []
    var statuses: Set<Status> = []

    func admits(_ record: TapRecord) -> Bool {
        (types.isEmpty || types.contains(record.type))
            && (keyPrefix.isEmpty || record.key.starts(with: keyPrefix))
            && (peers.isEmpty || peers.contains(record.peer))
            && (statuses.isEmpty || (record.direction == .tapReply && statuses.contains(record.status)))
    }
}

struct FilterOptions: ParsableArguments {
    @Option(
        name: .customLong("type"),
        help: ArgumentHelp("Only this message type, for example stage; may be repeated.", valueName: "type"))
    var types: [String] = []
    @Option(help: ArgumentHelp("Only keys that begin so.", valueName: "prefix"))
    var key = ""
    @Option(
        name: .customLong("peer"), help: ArgumentHelp("Only messages to this peer; may be repeated.", valueName: "name")
    )
    var peers: [String] = []
    @Option(
        name: .customLong("status"),
        help: ArgumentHelp(
            "Only answers with this result, for example overloaded; may be repeated.", valueName: "result"))
    var statuses: [String] = []

    var filter: TapFilter {
        get throws {
            TapFilter(
                types: Set(try types.map { try WireNames.find($0, "type", WireNames.types) }),
                keyPrefix: Array(key.utf8), peers: Set(peers),
                statuses: Set(try statuses.map { try WireNames.find($0, "result", WireNames.statuses) }))
        }
    }
}

/// Finds message types and results by name, however they are spelled: `putChunk`, `put-chunk`, `PUT_CHUNK`.
enum WireNames {
    static let types = table((1..<128).map { MessageType(rawValue: $0) })
    static let statuses = table((0..<64).map { Status(rawValue: $0) })

    private static func table<T: RawRepresentable<Int32> & CustomStringConvertible>(_ values: [T]) -> [String: T] {
        // Numbers without a name describe themselves as numbers.
        let named = values.filter { $0.description != "\($0.rawValue)" }
        return Dictionary(uniqueKeysWithValues: named.map { (normalised($0.description), $0) })
    }

    private static func normalised(_ name: String) -> String { name.lowercased().filter { $0 != "_" && $0 != "-" } }

    static func find<T: CustomStringConvertible>(_ name: String, _ what: String, _ table: [String: T]) throws -> T {
        if let value = table[normalised(name)] { return value }
        let known = table.values.map(\.description).sorted().joined(separator: ", ")
        throw ValidationError("there is no \(what) \"\(name)\"; known are \(known)")
    }
}
