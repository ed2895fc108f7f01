import Model
import NIOCore
import TestKit
import Testing
import Wire

@testable import MessageBus

@Suite struct PublicationFrameTests {
    static func envelope(_ type: MessageType = .hintsAdded) -> Envelope {
        Envelope(protocolVersion: busProtocolVersion, type: type, sender: "storage-1", epoch: 7, sequence: 12)
    }

    static let sample = encoded(envelope(), body: Array("body".utf8))

    static func encoded(_ envelope: Envelope, body: [UInt8]) -> [UInt8] {
        var message = PublicationFrame.encoded(envelope, body: body)
        return message.bytes
    }

    static func decoded(_ frame: [UInt8]) -> (envelope: Envelope, body: ByteBuffer)? {
        frame.withUnsafeBytes { PublicationFrame.decoded($0) }
    }

    @Test("envelope and body come back from one frame, also without a body, and the frame begins with its topic")
    func roundTrip() throws {
        for body in [[], Array("body".utf8), [UInt8](repeating: 0x2e, count: 70_000)] {
            for type in [MessageType.hintsAdded, .tap, .stateChanged] {
                let frame = Self.encoded(Self.envelope(type), body: body)
                #expect(frame.starts(with: Topic.bytes(type)))
                let decoded = try #require(Self.decoded(frame))
                #expect(decoded.envelope.sequence == 12)
                #expect(decoded.envelope.sender == "storage-1")
                #expect(Array(decoded.body.readableBytesView) == body)
            }
        }
    }

    @Test("a frame that ends before its body is refused, wherever it ends")
    func truncated() {
        for count in 0..<Self.sample.count - 4 { #expect(Self.decoded(Array(Self.sample.prefix(count))) == nil) }
    }

    @Test("a length beyond the frame or the limit, another topic, another version, a topic without an end are refused")
    func refused() {
        let point = Topic.bytes(.hintsAdded).count
        for length: [UInt8] in [[255, 255, 255, 255], [0, 0, 255, 255], [127, 255, 255, 255], [0, 0, 0, 200]] {
            var frame = Self.sample
            frame.replaceSubrange(point..<point + 4, with: length)
            #expect(Self.decoded(frame) == nil)
        }
        let content = Self.sample.dropFirst(point)
        #expect(Self.decoded(Topic.bytes(.tap) + content) == nil)
        #expect(Self.decoded(Array("99999999999999999999.".utf8) + content) == nil)
        #expect(Self.decoded([0x30] + Self.sample) == nil)
        #expect(Self.decoded(Array(repeating: 0x31, count: 5000)) == nil)
        var future = Self.envelope()
        future.protocolVersion = busProtocolVersion + 1
        #expect(Self.decoded(Self.encoded(future, body: [])) == nil)
        var long = Self.envelope()
        long.sender = String(repeating: "s", count: BusFrames.envelopeBytesMax)
        #expect(Self.decoded(Self.encoded(long, body: [])) == nil)
    }

    @Test("whatever is done to the bytes of a frame, it is refused or means the type of its topic")
    func garbled() {
        var random = SeededGenerator(seed: 20)
        for _ in 0..<20_000 {
            var frame = Self.sample
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<max(frame.count, 1), using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0 where !frame.isEmpty: frame[place] = UInt8.random(in: 0...255, using: &random)
                case 1 where !frame.isEmpty: frame[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: frame.removeLast(min(frame.count, place))
                default: frame.insert(UInt8.random(in: 0...255, using: &random), at: min(place, frame.count))
                }
            }
            guard let (envelope, body) = Self.decoded(frame) else { continue }
            #expect(frame.starts(with: Topic.bytes(envelope.type)))
            #expect(body.readableBytes < frame.count)
        }
    }
}
