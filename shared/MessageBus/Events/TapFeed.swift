import Model
import NIOCore
import Wire

#if canImport(Glibc)
    import Glibc
#endif

/// Shows the messages of this process to whoever taps it. Without a listener it costs one load; with one, records that
/// a slow listener does not take are dropped.
final class TapFeed {
    private let shared: BusShared
    private let publisher: Publisher
    private var sequence: UInt64 = 0

    init(_ shared: BusShared, publisher: Publisher) {
        self.shared = shared
        self.publisher = publisher
    }

    var isOn: Bool { shared.hasAudience(.tap) }

    func sent(_ request: OutgoingRequest, _ number: UInt64, subject: TapSubject) {
        var record = record(.tapRequest, request.type)
        record.describe(request, number, subject)
        record.bodyBytes = UInt64(request.body.count)
        record.payloadBytes = UInt64(request.payloadBytes)
        publish(record)
    }

    func finished(
        _ request: OutgoingRequest, _ number: UInt64, subject: TapSubject, _ result: Result<BusReply, BusError>
    ) {
        var record = record(.tapReply, request.type)
        record.describe(request, number, subject)
        record.latencyMicroseconds = (monotonicNanoseconds() - request.started) / 1000
        switch result {
        case .success(let reply):
            record.bodyBytes = UInt64(reply.body.readableBytes)
            record.payloadBytes = UInt64(reply.payload.reduce(0) { $0 + $1.readableBytes })
        case .failure(let error):
            record.status = error.status
            record.errorMessage = error.message
        }
        publish(record)
    }

    func published(_ type: MessageType, body: [UInt8]) {
        var record = record(.tapPublication, type)
        record.bodyBytes = UInt64(body.count)
        publish(record)
    }

    private func record(_ direction: TapDirection, _ type: MessageType) -> TapRecord {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return TapRecord(
            timeMicroseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000,
            process: shared.configuration.name.rawValue, direction: direction, type: type)
    }

    private func publish(_ record: TapRecord) {
        sequence += 1
        publisher.publish(.tap, sequence: sequence, body: record.encoded())
    }
}

extension TapRecord {
    fileprivate mutating func describe(_ request: OutgoingRequest, _ number: UInt64, _ subject: TapSubject) {
        peer = request.peer.rawValue
        correlationId = number
        requestId = request.context.requestID
        key = subject.key
        bucket = subject.bucket
        keyspace = subject.keyspace
        deletes = subject.deletes
        wantsContent = subject.wantsContent
    }
}
