import Checksums
import NIOCore
import Testing

@testable import Gateway

@Suite struct AsideHasherTests {
    private func pieces(_ sizes: [Int]) -> [ByteBuffer] {
        sizes.enumerated().map { index, size in
            ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) })
        }
    }

    private func whole(_ pieces: [ByteBuffer]) -> [UInt8] { pieces.flatMap { Array($0.readableBytesView) } }

    @Test(
        "It is the hash of everything in its order, whatever the pieces",
        arguments: [
            [], [0], [1], [1000, 2000], [300_000], [AsideHasher.batch, 1], Array(repeating: 65_536, count: 40),
            Array(repeating: 1_048_576, count: 5), [200_000, 200_000, 1, 700_000, 3],
        ])
    func digest(sizes: [Int]) async {
        let pieces = pieces(sizes)
        let hasher = AsideHasher(.sha256)
        for piece in pieces {
            hasher.update(piece)
            if hasher.isBehind { await hasher.wait() }
        }
        #expect(await hasher.finish() == HashAlgorithm.sha256.hash(whole(pieces)))
    }

    @Test("Who waits when it is behind never has more than the limit and a piece before it")
    func bounded() async {
        let hasher = AsideHasher(.sha256)
        let piece = ByteBuffer(repeating: 7, count: 400_000)
        for _ in 0..<50 {
            hasher.update(piece)
            if hasher.isBehind { await hasher.wait() }
            #expect(!hasher.isBehind)
        }
        #expect(await hasher.finish().count == 32)
    }

    @Test("Many bodies at a time each get their own hash")
    func many() async {
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<40 {
                group.addTask {
                    let piece = ByteBuffer(repeating: UInt8(number), count: 100_000)
                    let hasher = AsideHasher(.sha256)
                    for _ in 0..<30 {
                        hasher.update(piece)
                        if hasher.isBehind { await hasher.wait() }
                    }
                    let expected = HashAlgorithm.sha256.hash([UInt8](repeating: UInt8(number), count: 3_000_000))
                    return await hasher.finish() == expected
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }
}
