import Foundation
import Glibc
import Logging
import MetadataIndex
import Observability
import TestKit

@testable import ObjectLog
@testable import Storage

/// What a crash leaves of the index, which has no log of its own.
enum IndexLoss: CaseIterable, Sendable {
    /// What was flushed.
    case flushed
    /// All that was applied.
    case present
    case lost
}

/// A crash of the whole disk.
struct Crash: Sendable {
    var log: SimulatedDirectory.Loss
    var index: IndexLoss

    init(log: SimulatedDirectory.Loss, index: IndexLoss) {
        self.log = log
        self.index = index
    }

    init(using generator: inout SeededGenerator) {
        log = generator.pick(SimulatedDirectory.Loss.allCases)
        index = generator.pick(IndexLoss.allCases)
    }
}

/// One disk of a storage node: its log is simulated, its index lies in a directory in memory where there is one.
final class ModelDisk {
    /// A disk at rest, to begin from again and again.
    struct Image {
        let files: SimulatedDirectory
        let index: String
    }

    /// A few records fill a segment.
    static let segmentSize = 128 << 10

    private let folder: TemporaryFolder
    private var files: SimulatedDirectory
    private let damages = ErrorCollector()
    private(set) var replica: DiskReplica?
    /// In tests of the test.
    let mistake: ModelMistake?

    init(_ image: Image? = nil, mistake: ModelMistake? = nil) throws {
        folder = try TemporaryFolder()
        files = image?.files.copy() ?? SimulatedDirectory()
        self.mistake = mistake
        files.tell(mistake?.lie)
        if let image { try Self.copy(image.index, to: index) }
    }

    deinit { close() }

    private var home: String { folder.path }
    private var index: String { home + "/index" }

    /// Operations of the log's files so far that change something.
    var operations: Int { files.operations }

    /// What was logged as an error since the disk was made.
    var errors: [String] { damages.messages }

    /// `owning`: these slots; `crashAfter`: the so many-th operation from here on is the last.
    func open(owning slots: SlotSet, crashAfter count: Int? = nil) throws -> DiskReplica {
        if let count { files.crash(after: count, reads: true) }
        let opened = try Self.open(home, files, Logger(label: "model") { _ in self.damages })
        opened.own(slots)
        replica = opened
        return opened
    }

    private static func open(_ path: String, _ files: any LogDirectory, _ logger: Logger) throws -> DiskReplica {
        let options = DiskOptions(
            node: "storage-1", segmentSize: segmentSize, memory: IndexMemory(limit: 8 << 20))
        return try DiskReplica.open(
            path: path, options: options, files: files, staged: StagedBlobs(sizeMax: 8 << 20),
            metrics: StorageMetrics(MetricsRegistry()), logger: logger)
    }

    /// Flips a byte on the disk.
    func damage(_ segment: UInt32, at offset: Int) { files.damage(SegmentFile.name(segment), at: offset) }

    /// Stops the disk, and forgets it: an index is closed with its last owner.
    func close() {
        replica?.stop()
        replica = nil
    }

    /// The power goes, if it has not gone yet. What the next start finds depends on `crash`.
    func lose(_ crash: Crash, using generator: inout SeededGenerator) throws {
        files.crash(after: 1, reads: true)
        let flushed = home + "/flushed"
        if crash.index == .flushed, replica != nil { try Self.copy(index, to: flushed) }
        let wasOpen = replica != nil
        close()
        switch crash.index {
        case .present: break
        case .lost: try? FileManager.default.removeItem(atPath: index)
        case .flushed where wasOpen:
            try? FileManager.default.removeItem(atPath: index)
            try FileManager.default.moveItem(atPath: flushed, toPath: index)
        case .flushed: break
        }
        files = files.afterCrash(crash.log, using: &generator)
        damages.forget()
    }

    /// Overwrites the log of the stopped disk from a position to the end of its segment.
    func destroy(from position: LogPosition, with byte: UInt8) {
        let name = SegmentFile.name(position.segment)
        let count = Self.segmentSize - Int(position.offset)
        files.scribble([UInt8](repeating: byte, count: count), on: name, at: Int(position.offset))
    }

    /// The stopped disk as it is.
    func image(at path: String) throws -> Image {
        try Self.copy(index, to: path)
        return Image(files: files.copy(), index: path)
    }

    /// Runs `body` with a disk made from a copy of this one's log alone.
    func withRebuilt<R>(_ body: (DiskReplica) throws -> R) throws -> R {
        let path = home + "/rebuilt"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var generator = SystemRandomNumberGenerator()
        let copy = files.afterCrash(.dropped, using: &generator)
        let rebuilt = try Self.open(path, copy, Logger(label: "model") { _ in self.damages })
        defer { rebuilt.stop() }
        return try body(rebuilt)
    }

    /// Copies the directory of an index that may be in use: again, when its files have changed meanwhile.
    private static func copy(_ source: String, to target: String) throws {
        let manager = FileManager.default
        for _ in 0..<100 {
            let before = try fingerprint(source)
            let copied = Result { try copyOnce(source, to: target) }
            if try fingerprint(source) == before { return try copied.get() }
            try manager.removeItem(atPath: target)
        }
        throw ModelFault("the index does not come to rest")
    }

    private static func copyOnce(_ source: String, to target: String) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: target, withIntermediateDirectories: true)
        for name in try files(of: source) {
            let (from, to) = ("\(source)/\(name)", "\(target)/\(name)")
            // Tables never change.
            if name.hasSuffix(".sst") {
                try manager.linkItem(atPath: from, toPath: to)
            } else {
                try manager.copyItem(atPath: from, toPath: to)
            }
        }
    }

    private static func files(of index: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: index).filter { $0 != "LOCK" && !$0.hasPrefix("LOG") }
    }

    private static func fingerprint(_ index: String) throws -> [String: Int] {
        var sizes: [String: Int] = [:]
        for name in try files(of: index) {
            var status = stat()
            sizes[name] = stat("\(index)/\(name)", &status) == 0 ? Int(status.st_size) : -1
        }
        return sizes
    }
}
