import MetadataIndex
import Model
import Testing

@Suite struct IndexTests {
    private let fixture: IndexFixture
    private var index: MetadataIndex { fixture.index }

    init() throws { fixture = try IndexFixture() }

    @Test("A register is read back as it was applied; an older tag changes nothing")
    func registers() throws {
        let value = IndexedRegister.sample(5, blobs: [BlobID(high: 1, low: 2)])
        try fixture.apply(.register(name("key"), value))
        #expect(try index.register(name("key")) == value)
        try fixture.apply(.register(name("key"), .sample(4)))
        #expect(try index.register(name("key")) == value)
        #expect(try index.register(name("other")) == nil)
    }

    @Test("A never written register keeps its tag and is not live")
    func neverWritten() throws {
        let empty = IndexedRegister(
            value: RegisterValue(tag: Ballot(counter: 3, writer: 4)), position: 64, recordSize: 90)
        try fixture.apply(.register(name("key"), empty))
        #expect(try index.register(name("key")) == empty)
        #expect(try index.register(name("key"))?.value.isLive == false)
    }

    @Test("Counts follow overwrites and deletes, and the blobs of what was replaced are retired")
    func totals() throws {
        let blob = BlobKey(BlobID(high: 1, low: 1))
        let location = BlobLocation(position: 8, recordSize: 1000, size: 950, checksum: 3)
        try fixture.apply(.blob(blob, location), .register(name("a"), .sample(1, size: 950, blobs: [blob.blob])))
        try fixture.apply(.register(name("b"), .sample(2, size: 7)))
        var totals = index.totals
        #expect(totals.activeRecords == 3)
        #expect(totals.activeBytes == 1200)
        var counted = try index.bucketTotals(bucket)
        #expect(counted.objects == 2)
        #expect(counted.bytes == 957)

        try fixture.apply(.register(name("a"), .sample(3, deleted: true)))
        #expect(try index.blob(blob) == nil)
        totals = index.totals
        #expect(totals.activeRecords == 2)
        #expect(totals.activeBytes == 200)
        #expect(totals.totalRecords == 4)
        #expect(totals.totalBytes == 1300)
        #expect(totals.tombstones == 1)
        counted = try index.bucketTotals(bucket)
        #expect(counted.objects == 1)
        #expect(counted.bytes == 7)
    }

    @Test("Parts count their bytes, uploads nothing, and a live register that does not count neither")
    func counted() throws {
        func named(_ keyspace: Keyspace) -> RegisterName { RegisterName(bucket: bucket, keyspace: keyspace, key: [1]) }
        try fixture.apply(
            .register(named(.parts), .sample(1, size: 50)), .register(named(.uploads), .sample(2, size: 7)))
        var archived = IndexedRegister.sample(3, size: 900)
        archived.value.isUncounted = true
        try fixture.apply(.register(named(.versions), archived))
        var totals = try index.bucketTotals(bucket)
        #expect((totals.objects, totals.bytes) == (0, 50))
        #expect(try index.register(named(.versions))?.value.isUncounted == true)
        try fixture.apply(.register(named(.versions), .sample(4, size: 800)))
        totals = try index.bucketTotals(bucket)
        #expect((totals.objects, totals.bytes) == (1, 850))
        archived.value.tag = Ballot(counter: 5, writer: 1)
        archived.position += 1000
        try fixture.apply(.register(named(.versions), archived), .register(named(.parts), .sample(6, deleted: true)))
        totals = try index.bucketTotals(bucket)
        #expect((totals.objects, totals.bytes) == (0, 0))
    }

    @Test("Changes of one batch see each other")
    func oneBatch() throws {
        let applied = try fixture.apply(
            .register(name("a"), .sample(1, size: 5)), .register(name("a"), .sample(2, size: 6)),
            .hint(id: 1, [1]), .hint(id: 2, [2]), .forgetHints([1, 1, 99]))
        #expect(applied.registers.map(\.old) == [nil, Ballot(counter: 1, writer: 1)])
        #expect(try index.bucketTotals(bucket).bytes == 6)
        #expect(try index.bucketTotals(bucket).objects == 1)
        #expect(index.hintCount == 1)
        #expect(try index.hints(after: 0, limit: 10).map(\.id) == [2])
        #expect(try index.hints(after: 2, limit: 10).isEmpty)
    }

    @Test("A crash leaves what was flushed with the checkpoint that belongs to it, counts included")
    func crash() throws {
        try fixture.apply(.register(name("a"), .sample(1)), .ceiling(77), .hint(id: 9, [1, 2]))
        let checkpoint = index.checkpoint
        try index.flush()
        #expect(index.flushedCheckpoint == checkpoint)
        try fixture.apply(.register(name("b"), .sample(2)), .ceiling(99))
        let survivor = try fixture.copyAsAfterCrash()
        #expect(survivor.checkpoint == checkpoint)
        #expect(survivor.ceiling == 77)
        #expect(survivor.hintCount == 1)
        #expect(survivor.totals.activeRecords == 1)
        #expect(try survivor.register(name("a")) != nil)
        #expect(try survivor.register(name("b")) == nil)
    }

    @Test("Chunks are new once; scans visit registers and chunks apart, from a key on")
    func scans() throws {
        let chunk = ChunkName(blob: BlobID(high: 4, low: 4), index: 3)
        let location = BlobLocation(position: 8, recordSize: 10, size: 1, checksum: 0)
        #expect(try fixture.apply(.blob(BlobKey(chunk), location)).chunks == [chunk])
        #expect(try fixture.apply(.blob(BlobKey(chunk), location)).chunks.isEmpty)
        try fixture.apply(.blob(BlobKey(chunk.blob), location))
        try fixture.apply(.register(name("a"), .sample(1)), .register(name("b"), .sample(2)))
        var chunks: [ChunkName] = []
        try index.chunks().visit {
            chunks.append($0)
            return true
        }
        #expect(chunks == [chunk])
        var tags: [Ballot] = []
        try index.registers(after: name("a").indexKey).visit { _, tag in
            tags.append(tag)
            return true
        }
        #expect(tags == [Ballot(counter: 2, writer: 1)])
    }

    @Test("What memory has is found without the device, what a file has only after it was read once")
    func cached() throws {
        func isHit(_ index: MetadataIndex) -> Bool {
            if case .hit(let found) = index.cachedRegister(name("a250")) { found == .sample(1) } else { false }
        }
        func isAbsent(_ index: MetadataIndex) -> Bool {
            if case .absent = index.cachedRegister(name("b")) { true } else { false }
        }
        // What opening reads shares no block with a key in the middle.
        for number in 0..<500 { try fixture.apply(.register(name("a\(number)"), .sample(1))) }
        #expect(isHit(index))
        #expect(isAbsent(index))
        try index.flush()
        let opened = try fixture.copyAsAfterCrash(memory: IndexMemory(limit: 16 << 20))
        #expect(!isHit(opened))
        #expect(try opened.register(name("a250")) == .sample(1))
        #expect(isHit(opened))
    }
}
