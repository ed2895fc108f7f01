import Model
import Synchronization
import Wire

/// Where the next chunks of content that is being read stand: a storage node that is asked for the place of one tells of
/// those behind it too, and they are read without messages of their own.
///
/// A place may be outdated when it is used: then the chunk is asked for as ever.
public final class PlacesAhead: Sendable {
    private struct State {
        /// The chunks that are going to be read.
        var blob: BlobID?
        var end: UInt32 = 0
        /// The first one whose place nobody was asked for.
        var unasked: UInt32 = 0
        var places: [UInt32: ContentPlace] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    /// The chunks of a blob before `end` are going to be read in order.
    public func expect(_ blob: BlobID, end: UInt32) {
        state.withLock { state in
            if state.blob != blob { state = State(blob: blob) }
            state.end = end
        }
    }

    /// Of how many chunks behind this one a request for it should ask.
    func asking(behind name: ChunkName) -> UInt32 {
        state.withLock { state in
            guard state.blob == name.blob, name.index >= state.unasked, name.index < state.end else { return 0 }
            let count = min(state.end - name.index - 1, Limits.placesAheadMax)
            state.unasked = name.index + count + 1
            return count
        }
    }

    func add(_ places: [ChunkPlace], of blob: BlobID, at node: NodeName) {
        state.withLock { state in
            guard state.blob == blob else { return }
            for place in places.prefix(Int(Limits.placesAheadMax)) where place.index < state.end {
                state.places[place.index] = place.place.flatMap { ContentPlace($0, of: node, checksum: place.crc32c) }
            }
        }
    }

    public func knows(_ name: ChunkName) -> Bool { place(of: name) != nil }

    func place(of name: ChunkName) -> ContentPlace? {
        state.withLock { $0.blob == name.blob ? $0.places[name.index] : nil }
    }

    func take(_ name: ChunkName) -> ContentPlace? {
        state.withLock { $0.blob == name.blob ? $0.places.removeValue(forKey: name.index) : nil }
    }
}
