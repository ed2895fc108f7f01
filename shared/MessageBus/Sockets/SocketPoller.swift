import CZeroMQ

#if canImport(Glibc)
    import Glibc
#endif

/// Waits for all sockets of a bus thread at once.
///
/// The descriptor of a ZeroMQ socket tells edges, not levels: it falls silent as soon as libzmq has looked at its
/// mailbox, which every send and receive may do. So a socket that was touched is *dirty* until a look at its events
/// found nothing left to read, and the thread sleeps only when no socket is dirty.
final class SocketPoller {
    final class Source {
        let socket: ZeroMQSocket
        let descriptor: Int32
        fileprivate var isDirty = false
        fileprivate var isRemoved = false
        /// Reads what is there, up to a bound; true when something may be left.
        fileprivate let drain: (ZeroMQSocket) -> Bool

        fileprivate init(_ socket: ZeroMQSocket, _ drain: @escaping (ZeroMQSocket) -> Bool) {
            self.socket = socket
            self.drain = drain
            descriptor = socket.descriptor
        }
    }

    private let epoll: Int32
    private let wakeUp: Int32
    private var sources: [Int32: Source] = [:]
    private var dirty: [Source] = []
    private var numbers: UInt64 = 0
    private var ready = [epoll_event](repeating: epoll_event(), count: 64)

    /// `wakeUp` is an eventfd by which other threads end ``wait(milliseconds:)``.
    init(wakeUp: Int32) throws {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw BusSetupError("epoll_create1", code: errno) }
        self.wakeUp = wakeUp
        try watch(wakeUp)
    }

    deinit { Glibc.close(epoll) }

    private func watch(_ descriptor: Int32) throws {
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: descriptor))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            throw BusSetupError("epoll_ctl", code: errno)
        }
    }

    func add(_ socket: ZeroMQSocket, drain: @escaping (ZeroMQSocket) -> Bool) throws -> Source {
        let source = Source(socket, drain)
        try watch(source.descriptor)
        sources[source.descriptor] = source
        touch(source)
        return source
    }

    /// Stops watching and closes the socket. Unsent messages have a moment to leave, or none.
    func close(_ source: Source, discardingUnsent: Bool = false) {
        guard !source.isRemoved else { return }
        source.isRemoved = true
        sources[source.descriptor] = nil
        epoll_ctl(epoll, EPOLL_CTL_DEL, source.descriptor, nil)
        if discardingUnsent { source.socket.discard() } else { source.socket.close() }
    }

    /// For names that are unique within the bus.
    func nextNumber() -> UInt64 {
        numbers += 1
        return numbers
    }

    /// To be called after every send.
    func touch(_ source: Source) {
        guard !source.isDirty else { return }
        source.isDirty = true
        dirty.append(source)
    }

    /// Looks at every dirty socket once; false when there was none.
    func drainDirty() -> Bool {
        guard !dirty.isEmpty else { return false }
        let batch = dirty
        dirty.removeAll(keepingCapacity: true)
        for source in batch {
            source.isDirty = false
            if !source.isRemoved, source.drain(source.socket) { touch(source) }
        }
        return true
    }

    /// Sleeps until a socket or another thread wants something; -1: without limit.
    func wait(milliseconds: Int32) {
        let count = epoll_wait(epoll, &ready, Int32(ready.count), milliseconds)
        guard count > 0 else { return }
        for index in 0..<Int(count) {
            let descriptor = ready[index].data.fd
            if descriptor == wakeUp {
                var counter: UInt64 = 0
                _ = read(wakeUp, &counter, 8)
            } else if let source = sources[descriptor] {
                touch(source)
            }
        }
    }
}
