import Model
import Synchronization
import Wire

/// Where chunks stand in logs on this machine, as storage nodes have told lately: they are read without asking again. A chunk
/// never changes, so what is found at its place, with its checksum, is it.
///
/// A place may be outdated when it is used: compaction has moved the chunk. Then it is forgotten, and asked for as ever.
final class KnownPlaces: Sendable {
    /// Between this many and half of it are kept: those that were told or used last.
    static let max = 16_384

    private struct State {
        var recent: [ChunkName: ContentPlace] = [:]
        var older: [ChunkName: ContentPlace] = [:]

        mutating func add(_ place: ContentPlace, of name: ChunkName) {
            if recent.count >= max / 2 { (older, recent) = (recent, [:]) }
            recent[name] = place
        }
    }

    private let state = Mutex(State())

    func place(of name: ChunkName) -> ContentPlace? {
        state.withLock { state in
            if let place = state.recent[name] { return place }
            guard let place = state.older.removeValue(forKey: name) else { return nil }
            state.add(place, of: name)
            return place
        }
    }

    func add(_ place: ContentPlace, of name: ChunkName) { state.withLock { $0.add(place, of: name) } }

    /// What a node that was asked for one chunk tells of those behind it.
    func add(_ ahead: [ChunkPlace], behind name: ChunkName, at node: NodeName) {
        let (end, isBeyond) = name.index.addingReportingOverflow(Limits.placesAheadMax)
        guard !ahead.isEmpty, !isBeyond else { return }
        state.withLock { state in
            for told in ahead where told.index > name.index && told.index <= end {
                guard let place = told.place.flatMap({ ContentPlace($0, of: node, checksum: told.crc32c) }) else {
                    continue
                }
                state.add(place, of: ChunkName(blob: name.blob, index: told.index))
            }
        }
    }

    func forget(_ name: ChunkName) {
        state.withLock { state in
            state.recent[name] = nil
            state.older[name] = nil
        }
    }
}
