import Model

/// Who a log directory belongs to. Written once, when the directory is used for the first time.
public struct LogOwner: Equatable, Sendable {
    public var node: NodeName
    public var disk: DiskID
    /// The log keeps an ``EndMark``: when it is missing, it was lost.
    public var hasEndMark = false

    private static let fileName = "owner"
    private static let formatVersion = 1
    private static let endMarkLine = "end marked"

    /// Reads the owner of a directory; one that is empty is given to `node`, with a new disk id.
    static func claim(_ directory: any LogDirectory, for node: NodeName) throws(ObjectLogError) -> LogOwner {
        let names: [String]
        do { names = try directory.names() } catch { throw .file(error) }
        if names.contains(fileName) { return try load(directory, expecting: node) }
        guard !names.contains(where: { SegmentFile.number(of: $0) != nil }) else {
            throw .foreign("\(directory.path) has segments but no owner file")
        }
        do { return try create(in: directory, node: node) } catch { throw .file(error) }
    }

    /// Who a directory belongs to; nil: nobody yet.
    public static func read(_ directory: any LogDirectory) throws(ObjectLogError) -> LogOwner? {
        do {
            guard try directory.names().contains(fileName) else { return nil }
        } catch { throw .file(error) }
        return try load(directory)
    }

    private static func create(in directory: any LogDirectory, node: NodeName) throws(FileError) -> LogOwner {
        let owner = LogOwner(node: node, disk: .random())
        try owner.store(in: directory)
        return owner
    }

    /// Durable when it returns.
    func store(in directory: any LogDirectory) throws(FileError) {
        let text =
            "martlet object log \(Self.formatVersion)\nnode \(node)\ndisk \(disk)\n"
            + (hasEndMark ? Self.endMarkLine + "\n" : "")
        let file = try directory.create(Self.fileName + ".new")
        try file.write(Array(text.utf8), at: 0)
        try file.sync()
        try directory.rename(Self.fileName + ".new", to: Self.fileName)
        try directory.sync()
    }

    private static func load(_ directory: any LogDirectory, expecting node: NodeName) throws(ObjectLogError) -> LogOwner
    {
        let owner = try load(directory)
        guard owner.node == node else {
            throw .foreign("\(directory.path) belongs to node \(owner.node), not to \(node)")
        }
        return owner
    }

    private static func load(_ directory: any LogDirectory) throws(ObjectLogError) -> LogOwner {
        let text: String
        do throws(FileError) {
            text = String(decoding: try directory.open(fileName).read(count: 4096, at: 0), as: UTF8.self)
        } catch { throw .file(error) }
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        guard let first = lines.first, first.count == 4, first.dropLast() == ["martlet", "object", "log"],
            let version = Int(first[3])
        else { throw .foreign("\(directory.path) is not the directory of an object log") }
        guard version <= formatVersion else {
            throw .newerFormat("\(directory.path) has format \(version), newer than \(formatVersion)")
        }
        guard lines.count >= 3, lines[1].count == 2, lines[2].count == 2, let disk = DiskID(hex: lines[2][1]) else {
            throw .foreign("\(directory.path)/\(fileName) is damaged")
        }
        let hasEndMark = lines.dropFirst(3).contains { $0.joined(separator: " ") == endMarkLine }
        return LogOwner(node: NodeName(lines[1][1]), disk: disk, hasEndMark: hasEndMark)
    }
}
