import Model
import ObjectLog
import Testing
import Wire

@testable import ObjectAccess

@Suite struct KnownPlacesTests {
    private func name(_ index: Int) -> ChunkName { ChunkName(blob: BlobID(high: 1, low: 1), index: UInt32(index)) }

    private func told(_ index: Int) -> ChunkPlace {
        let place = LogPlace(
            directory: "/log", disk: DiskID(high: 1, low: 1).bytes, position: UInt64(index), recordSize: 100)
        return ChunkPlace(index: UInt32(index), crc32c: 7, place: place)
    }

    private func place(_ index: Int) throws -> ContentPlace {
        let told = try #require(told(index).place)
        return try #require(ContentPlace(told, of: "storage-1", checksum: 7))
    }

    @Test("Those that were told or used last stay, and never more than the limit")
    func bounded() throws {
        let places = KnownPlaces()
        for index in 0..<3 * KnownPlaces.max {
            places.add(try place(index), of: name(index))
            #expect(places.place(of: name(0)) != nil)
        }
        let known = (0..<3 * KnownPlaces.max).reversed().filter { places.place(of: name($0)) != nil }
        #expect((KnownPlaces.max / 2...KnownPlaces.max).contains(known.count))
        #expect(places.place(of: name(3 * KnownPlaces.max - 1))?.position == LogPosition(rawValue: 49_151))
    }

    @Test("Of what a node tells, only the chunks behind the one that it was asked for count")
    func ahead() {
        let places = KnownPlaces()
        places.add([2, 3, 4, 18, 19].map(told), behind: name(3), at: "storage-1")
        #expect((0..<30).filter { places.place(of: name($0)) != nil } == [4, 18])
    }

    @Test("What is forgotten is not known, however long ago it was told")
    func forgotten() throws {
        let places = KnownPlaces()
        for index in 0...KnownPlaces.max / 2 { places.add(try place(index), of: name(index)) }
        for index in [0, KnownPlaces.max / 2] {
            places.forget(name(index))
            #expect(places.place(of: name(index)) == nil)
        }
    }
}
