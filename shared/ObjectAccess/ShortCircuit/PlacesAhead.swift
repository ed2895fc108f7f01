import Model
import Synchronization

/// Of how many chunks the places are asked for at once while some content is read: a storage node that is asked for one chunk
/// tells of those behind it too, and they are read without messages of their own.
public final class PlacesAhead: Sendable {
    private struct State {
        /// The chunks that are going to be read.
        var blob: BlobID?
        var end: UInt32 = 0
        /// The first one whose place nobody was asked for.
        var unasked: UInt32 = 0
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
}
