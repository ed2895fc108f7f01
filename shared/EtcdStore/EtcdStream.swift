import NIOCore
import Synchronization

/// A streamed answer, read message by message. A slow reader stops the connection's reading.
final class EtcdStream: Sendable {
    enum Event: Sendable, Equatable {
        case message([UInt8])
        case silence
        case ended(String)
    }

    /// Messages that wait for the reader before reading stops.
    static let waitingMax = 64

    private struct State {
        var waiting: [[UInt8]] = []
        var end: String?
        var reader: (id: UInt64, continuation: CheckedContinuation<Event, Never>)?
        var nextReader: UInt64 = 0
        var paused = false
    }

    private let state = Mutex(State())
    private let channel: any Channel

    init(channel: any Channel) { self.channel = channel }

    func close() { channel.close(promise: nil) }

    /// The next message; one reader at a time.
    func next(within silence: Duration) async -> Event {
        let event = await withTaskCancellationHandler {
            await withCheckedContinuation { wait($0, silence) }
        } onCancel: {
            close()
        }
        let resumes = state.withLock { state in
            guard state.paused, state.waiting.isEmpty else { return false }
            state.paused = false
            return true
        }
        if resumes { channel.setOption(.autoRead, value: true).whenComplete { _ in } }
        return event
    }

    private func wait(_ continuation: CheckedContinuation<Event, Never>, _ silence: Duration) {
        let (ready, id): (Event?, UInt64) = state.withLock { state in
            if !state.waiting.isEmpty { return (.message(state.waiting.removeFirst()), 0) }
            if let end = state.end { return (.ended(end), 0) }
            state.nextReader += 1
            state.reader = (state.nextReader, continuation)
            return (nil, state.nextReader)
        }
        if let ready { return continuation.resume(returning: ready) }
        channel.eventLoop.scheduleTask(in: TimeAmount(silence)) { [weak self] in self?.giveUp(id) }
    }

    private func giveUp(_ id: UInt64) {
        let reader = state.withLock { state -> CheckedContinuation<Event, Never>? in
            guard let reader = state.reader, reader.id == id else { return nil }
            state.reader = nil
            return reader.continuation
        }
        reader?.resume(returning: .silence)
    }

    // MARK: - Events of the connection

    func received(_ message: [UInt8]) {
        let (reader, pauses) = state.withLock { state -> (CheckedContinuation<Event, Never>?, Bool) in
            if let reader = state.reader {
                state.reader = nil
                return (reader.continuation, false)
            }
            state.waiting.append(message)
            guard state.waiting.count >= Self.waitingMax, !state.paused else { return (nil, false) }
            state.paused = true
            return (nil, true)
        }
        reader?.resume(returning: .message(message))
        if pauses { channel.setOption(.autoRead, value: false).whenComplete { _ in } }
    }

    func ended(_ reason: String) {
        let reader = state.withLock { state -> CheckedContinuation<Event, Never>? in
            state.end = state.end ?? reason
            defer { state.reader = nil }
            return state.reader?.continuation
        }
        reader?.resume(returning: .ended(reason))
    }
}
